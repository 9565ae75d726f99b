/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blocks for a scan, from both who know of any: the walk of the heap, which knows all of its blocks
 * and what fits into them, and the ledger, which knows what was asked for, and of whom.
 *
 *     walk     |    block    |  |   block   |      |       block        |
 *     ledger     same place            (older)        |b|  |  b  |           | another allocator's |
 *
 * Where an allocator or a wrapper has taken a block of the heap to make its own in it, those are
 * judged in its place, and the rest of it counts as roots.
 *
 * One thread.
 */
#ifndef MEMTRACE_SCAN_COLLECT_H
#define MEMTRACE_SCAN_COLLECT_H

#include "../heap/ledger.h"
#include "arenas.h"
#include "blocks.h"

struct collected {
	/* Sorted, none within another; keeper is the site, for now. */
	struct scan_block *items;
	size_t nr, room;
	struct spans heap;		/* memory that is no root: the heap's, and of all other blocks */
	struct spans rests;		/* that is one all the same */
	uint64_t unjudged;		/* of the ledger, left out */
};

/* arenas: NULL where only the ledger is to be believed; ledger: NULL where there is none.  0 or
 * -ENOMEM; collected_release() in both cases. */
int collect(struct collected *out, const struct arenas *arenas, const struct ledger *ledger,
	    uint32_t no_site);
void collected_release(struct collected *collected);

#endif
