/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What was freed last: the blocks by address, each in one place that its address chooses, where it
 * stays until another one takes it.  So a free costs one store, and who frees a block a second
 * time is told of the first one unless that was long ago.
 *
 * One thread.  Addresses are the target's; bytes as asked for; times in ns since the attach.
 */
#ifndef MEMTRACE_HEAP_FREED_H
#define MEMTRACE_HEAP_FREED_H

#include <sys/types.h>

#include "../base/types.h"

#define FREED_PLACES 65536u

/* Sites are ids plus one; 0: not known. */
struct freeing {
	taddr_t address;
	taddr_t caller;		/* return address; 0: not known */
	uint64_t time_ns;
	uint32_t site;		/* of the free; 0: function and caller are all there is */
	uint32_t function;
	pid_t tid;		/* the engine's: see event.h */
	bool resizes;		/* by a realloc */
};

struct freed {
	struct freeing free;
	uint64_t size, born_ns;	/* where the block was seen allocated */
	uint32_t site;		/* of the allocation; 0: it was not seen */
};

struct freed_table {
	struct freed *places;
};

/* 0 or -ENOMEM. */
int freed_init(struct freed_table *table);
void freed_deinit(struct freed_table *table);

void freed_note(struct freed_table *table, const struct freed *freed);
/* NULL: no free of that address is known.  Valid until the next call. */
const struct freed *freed_find(const struct freed_table *table, taddr_t address);
void freed_forget(struct freed_table *table, taddr_t address);
void freed_forget_all(struct freed_table *table);
/* For who has further events at hand: see ledger_prefetch(). */
void freed_prefetch(const struct freed_table *table, taddr_t address);

#endif
