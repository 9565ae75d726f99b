/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which pages of a process hold anything of its own, in memory or swapped out: never a page that
 * was not touched, which reads as zeros and would have to be made for that, nor one that is as
 * in its file.  By /proc/PID/pagemap, whose entries are described in the kernel's
 * Documentation/admin-guide/mm/pagemap.rst.
 *
 * One thread.
 */
#ifndef MEMTRACE_TARGET_RESIDENT_H
#define MEMTRACE_TARGET_RESIDENT_H

#include <sys/types.h>

#include "maps.h"

struct page_runs {
	struct page_run {
		taddr_t start, end;
	} *items;
	size_t nr, room;
};

/* Open it before the process is held; tid is any live thread.  A descriptor, or -errno. */
int resident_open(pid_t tid);

/* Adds those of a mapping, by rising addresses.  0 or -errno. */
int resident_find(int fd, const struct mapping *mapping, struct page_runs *runs);
/* The same where the kernel cannot tell runs (before Linux 6.7): page by page, those that are all
 * zeros included. */
int resident_find_by_pages(int fd, const struct mapping *mapping, struct page_runs *runs);
void page_runs_release(struct page_runs *runs);

#endif
