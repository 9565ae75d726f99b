/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel has refused to let us trace: which of its rules it was, and what helps, in words.
 * The facts are gathered in one place and judged in another, since most of them cannot be had on
 * one machine.  One thread.
 */
#ifndef MEMTRACE_DENIAL_H
#define MEMTRACE_DENIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define DENIAL_LABEL_BYTES 128

struct denial {
	pid_t pid;			/* 0: a command that was to be started */
	int scope;			/* kernel.yama.ptrace_scope; 0 also without Yama */
	bool is_root, has_capability;	/* CAP_SYS_PTRACE, in our user namespace */
	bool has_filter;		/* a seccomp filter is on us */
	bool is_other_user, is_other_namespace;
	uid_t user;			/* the process's */
	char label[DENIAL_LABEL_BYTES];	/* what a security module calls us; empty: none does */
};

void denial_gather(struct denial *denial, pid_t pid);

/* One line, which begins with "not permitted: ".  Returns buffer. */
const char *denial_words(const struct denial *denial, char *buffer, size_t bytes);

/* The system call that attaching takes came with Linux 3.4: the words for a kernel too old; NULL:
 * it is not.  `release` as uname(2) has it.  Valid until the next call. */
const char *denial_of_kernel(const char *release);

#endif
