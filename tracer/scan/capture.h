/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Copies what a process has in its memory: all pages that it may have changed and can read.  The
 * process stands while that is done, or the copy is of no one moment.
 *
 *     capture_prepare()   while it still runs: finds out how much there is, and makes room
 *     capture_take()      held: looks again, copies
 *     capture_release()
 *
 * One thread.  Functions return 0 or -errno, and then the capture is released.  -EFBIG: so much that
 * the machine, or our control group, would be short of memory.
 */
#ifndef MEMTRACE_SCAN_CAPTURE_H
#define MEMTRACE_SCAN_CAPTURE_H

#include "../target/maps.h"
#include "../target/resident.h"
#include "space.h"

struct capture {
	struct space space;		/* lives as long as the capture */
	struct maps maps;		/* of that moment */
	unsigned char *bytes;
	size_t nr_bytes, room;
	uint64_t unread_bytes;		/* of pages that should have been there */
	struct page_run ours;
	int pagemap;
};

/* ours (NULL: none): where the process has memory that is not its own, which is left out. */
int capture_prepare(struct capture *capture, const struct memory *memory,
		    const struct page_run *ours);
int capture_take(struct capture *capture, const struct memory *memory);
/* The copy is not needed any more; its maps stay. */
void capture_give_back(struct capture *capture);
void capture_release(struct capture *capture);

#endif
