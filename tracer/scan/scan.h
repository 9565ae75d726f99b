/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a snapshot tells of a process's blocks: of those that were seen allocated, and where the C
 * library's heap can be walked without a doubt, of all others, too.
 *
 *     snapshot --> arenas (the heap) --+
 *     ledger (what was seen) ----------+--> blocks --> reach --> kinds, keepers
 *     snapshot --> roots --------------+
 *
 * Where the heap cannot be walked, only blocks that were seen are judged, and all other memory, that
 * of older blocks and free memory included, counts as roots: what is called lost then is lost all
 * the more.
 *
 * One thread; no process is needed any more.  The snapshot must outlive it.
 */
#ifndef MEMTRACE_SCAN_SCAN_H
#define MEMTRACE_SCAN_SCAN_H

#include "../heap/ledger.h"
#include "arenas.h"
#include "groups.h"
#include "inside.h"
#include "keepers.h"
#include "reach.h"
#include "roots.h"
#include "snapshot.h"

/* Of the allocator's own blocks. */
#define SCAN_NO_SITE UINT32_MAX

struct scan {
	const struct snapshot *snapshot;
	struct arenas arenas;		/* its chunks are gone: they have become blocks */
	bool walked;			/* the older blocks are known */
	struct roots roots;
	struct roots_thread *threads;
	struct blocks blocks;
	size_t blocks_room;
	uint32_t *sites;		/* of each block: the ledger's, a group's, or SCAN_NO_SITE */
	struct groups groups;		/* of blocks that were not seen allocated */
	struct reach reach;
	struct keepers keepers;
	/* Of the ledger: they lie within others, or where the heap has none, as where a free was
	 * missed.  They are not judged. */
	uint64_t unjudged_blocks;
	uint64_t duration_ns;		/* of scan_run() */
};

/* ledger: NULL, or what was seen allocated; addresses with ADDRESS_POOL are not judged.  heuristics:
 * INSIDE_*.  0, -E2BIG or -ENOMEM: nothing is left to release. */
int scan_run(struct scan *scan, const struct snapshot *snapshot, const struct ledger *ledger,
	     unsigned heuristics);
void scan_release(struct scan *scan);

/* Whether blocks of it were seen allocated. */
static inline bool scan_was_seen(const struct scan *scan, uint32_t site)
{
	return site < scan->groups.first_site;
}

/* What is known of a block of the ledger; NULL: nothing. */
const struct scan_block *scan_find(const struct scan *scan, taddr_t address);

#endif
