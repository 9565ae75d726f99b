/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether any thread is at work in glibc's arenas, so that a copy of its memory would have a heap that
 * is just being changed: found out before the copy is made.
 *
 *     quiet_find()      while the process still runs
 *     quiet_is_so()     it stands
 *
 * One thread.  Begins as all zero.
 */
#ifndef MEMTRACE_SCAN_QUIET_H
#define MEMTRACE_SCAN_QUIET_H

#include "../target/maps.h"

struct quiet {
	taddr_t *arenas;
	size_t nr;
};

/* None is found where there is no memory for that, or no such allocator. */
void quiet_find(struct quiet *quiet, const struct memory *memory, const struct maps *maps);
bool quiet_is_so(const struct quiet *quiet, const struct memory *memory);
void quiet_release(struct quiet *quiet);

#endif
