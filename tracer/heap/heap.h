/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is allocated: takes every event and keeps the ledger, the sites and the totals.
 *
 * Counting is valgrind's: a realloc that succeeds is one allocation and one free; free(NULL)
 * and failed calls count nowhere but in failed_allocs.  While a realloc is under way its old
 * block is held apart, since another thread may be given its address before we see it end.
 *
 * A block of a pool (ADDRESS_POOL) may begin where the block begins that the pool has it from: both
 * are live then.
 *
 * One thread.  Bytes as asked for; times in ns since the attach.
 */
#ifndef MEMTRACE_HEAP_H
#define MEMTRACE_HEAP_H

#include "../event/event.h"
#include "ledger.h"
#include "sites.h"
#include "stacks.h"
#include "wrong.h"

struct heap_totals {
	uint64_t allocs, frees, bytes_allocated;
	uint64_t live_blocks, live_bytes, peak_bytes;
	uint64_t unknown_frees;		/* of pointers allocated before the attach, or never */
	uint64_t failed_allocs;
	/* Allocations at an address still live: a free was missed.  The site of the old block
	 * counts it, frees does not: live_blocks == allocs - frees - replaced_blocks. */
	uint64_t replaced_blocks;
	/* Blocks that were live while nothing was watched: in no other figure but the peak. */
	uint64_t unwatched_blocks, unwatched_bytes;
	uint64_t truncated_stacks;	/* allocations whose stack was longer than what is kept */
	uint64_t events;
	uint64_t lost_events;		/* for want of memory: the run is incomplete */
};

struct heap {
	struct ledger ledger;
	struct stacks *stacks;
	struct sites *sites;
	struct heap_totals totals;
	uint64_t sample_bytes;		/* mean distance of samples; 0: every block is told */
	struct site_estimate estimate;	/* sampling: of all sites together */
	uint64_t replaced_blocks;	/* sampling: of them, as estimate.live.blocks */
	struct estimate unwatched;	/* sampling: of those */
	bool has_pools;			/* some address has had ADDRESS_POOL */
	bool keeps_free_stacks;		/* of frees, where they have any */
	uint64_t own_frees;		/* of unknown_frees, by the allocator's own module alone */
	uint64_t missed_frees;		/* replaced_blocks, those of pools left out */
	struct wrong_frees wrong;	/* sampling: nothing is known of them */
	uint64_t ticked_ns;		/* the sites have been told the time up to here */
	/* Blocks whose realloc has begun and not ended. */
	struct {
		struct held_block {
			pid_t tid;
			struct block block;
		} *items;
		size_t nr, room;
	} held;
};

int heap_init(struct heap *heap);
void heap_deinit(struct heap *heap);

/* Before the first event: blocks are samples, drawn at this mean distance.  All of the totals
 * but the events then count samples, and estimates tell what those stand for. */
void heap_sample(struct heap *heap, uint64_t mean_bytes);

/* Before the first event, of a process that has blocks already, and perhaps calls under way; else all
 * of its blocks will be seen allocated. */
void heap_begin_late(struct heap *heap, bool has_calls);

/* Forgets everything but how: an exec has replaced the memory. */
int heap_restart(struct heap *heap);

/* Cannot fail: what could not be kept for want of memory is counted in lost_events. */
void heap_event(struct heap *heap, const struct event *event);
/* For who has events at hand, some eight ahead of their turn: see ledger_prefetch(). */
void heap_prefetch(const struct heap *heap, taddr_t address);
void heap_tick(struct heap *heap, uint64_t now_ns);

/* Some time was not watched, and is over now: what of the blocks that were live has been freed is
 * not known, so nothing is said of them any more. */
void heap_disown(struct heap *heap, uint64_t now_ns);

/* Adds all of another heap, which saw other addresses; both have been settled, and told of the same
 * time.  Peaks become sums, which are no less than the true ones.  What could not be added for
 * want of memory is counted in lost_events. */
void heap_merge(struct heap *heap, struct heap *other);

/* Blocks still held by a realloc that never ended count as live: call before a report. */
void heap_settle(struct heap *heap);

#endif
