/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frees of what is not allocated.  Which they are is told by what was freed last (freed.h); here
 * is also what may look like one and is none:
 *
 *     a block that a call which does not count returned, e.g. one of malloc's inside of a pool's
 *     function: it is not in the ledger, but may be freed
 *     what the allocator's own module frees a second time, as glibc does at a thread's end with
 *     all that the thread has cached
 *     what a call that was under way at the attach returned: no free counts as a first one until
 *     those must have ended
 *     what was handed out twice, since it had been freed twice
 *     the free inside of another one, should it not have been recognized as that: the two are
 *     different functions
 *
 * Equal ones, by the stacks or callers of both frees and of the allocation, are one context.
 *
 * One thread.  Without memory a context is lost, and counted as such.
 */
#ifndef MEMTRACE_HEAP_WRONG_H
#define MEMTRACE_HEAP_WRONG_H

#include "../base/index.h"
#include "../event/event.h"
#include "freed.h"
#include "ledger.h"

#define WRONG_CONTEXTS 1024u
#define WRONG_AGAIN 65536u

/* From the first event after an attach until calls that were under way must be over. */
#define WRONG_SETTLE_NS 1000000000u

/* One context: its first occurrence. */
struct wrong_free {
	uint64_t count;
	struct freeing free;
	struct freed first;	/* address 0: no free before it is known */
};

struct wrong_frees {
	struct freed_table freed;
	struct ledger inside;	/* blocks of calls that do not count */
	struct ledger again;	/* addresses freed twice; size: how often they have then been handed
				 * out twice and not freed as often, WRONG_AGAIN at most */
	struct wrong_free *items;
	size_t nr, room;
	struct index index;
	uint64_t nr_lost;	/* of contexts beyond WRONG_CONTEXTS */
	/* Every block there is was seen allocated: a pointer that is none of them is wrong. */
	bool is_whole;
	bool is_blind;		/* some block came from a call that could not be watched */
	bool is_unsettled;	/* calls may be under way; since_ns comes with the next event */
	uint64_t since_ns;	/* frees from then on count as first ones */
};

/* 0 or -ENOMEM. */
int wrong_init(struct wrong_frees *wrong);
void wrong_deinit(struct wrong_frees *wrong);

/* Blocks are there that were not seen allocated, and perhaps calls under way. */
void wrong_begin_late(struct wrong_frees *wrong, bool has_calls);
/* Each event's, in their order. */
void wrong_see_time(struct wrong_frees *wrong, uint64_t now_ns);

/* A block is gone from the ledger: freed; or for good, and nobody knows by which call. */
void wrong_note_free(struct wrong_frees *wrong, const struct freeing *free,
		     const struct block *block);
void wrong_forget(struct wrong_frees *wrong, taddr_t address);

/* A call that does not count returned a block, or freed one that was not in the ledger.  False: no
 * memory. */
bool wrong_note_inside(struct wrong_frees *wrong, taddr_t address);
void wrong_free_inside(struct wrong_frees *wrong, taddr_t address);

/* An allocation at an address that is live.  False: the block there was not freed twice before; a free
 * has been missed. */
bool wrong_explains(struct wrong_frees *wrong, taddr_t address);

/* A free of what is not in the ledger, by a call that is not the allocator's own. */
void wrong_judge(struct wrong_frees *wrong, const struct freeing *free);

/* Adds what another one has found; sites[]: what its sites are here. */
void wrong_merge(struct wrong_frees *wrong, const struct wrong_frees *other,
		 const uint32_t *sites);

#endif
