/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel would make of a file, from its first bytes; nothing in it is followed.  Any
 * thread.
 */
#ifndef MEMTRACE_TARGET_PROGRAM_H
#define MEMTRACE_TARGET_PROGRAM_H

#include <sys/types.h>

enum program_kind {
	PROGRAM_NATIVE,		/* ELF of 64 bits */
	PROGRAM_32_BIT,
	PROGRAM_X32,		/* 64-bit instructions, 32-bit pointers */
	PROGRAM_SCRIPT,		/* it names its interpreter */
	PROGRAM_OTHER,		/* text for /bin/sh, most likely */
	PROGRAM_UNKNOWN,	/* it cannot be read */
};

#define PROGRAM_INTERPRETER_MAX 256

/* interpreter: of a script, else empty; PROGRAM_INTERPRETER_MAX bytes, or NULL. */
enum program_kind program_kind(const char *path, char *interpreter);

/* Of what a process runs; PROGRAM_UNKNOWN also where that may not be looked at. */
enum program_kind program_of_process(pid_t pid);

#endif
