/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The live blocks, keyed by address: a linear hash table (Litwin 1980).  It grows by one
 * bucket at a time, so no insertion ever waits for a rehash of millions.  The blocks lie in
 * the buckets, so that an operation waits for memory once:
 *
 *     buckets[]  | 5 blocks of 24 bytes | chain | filter |  128 bytes for 3.2 blocks on average
 *                                           |
 *                                           v
 *     chained[]  40 bytes each: the few beyond a bucket's 5, and what does not fit 24 bytes
 *
 * 43 to 47 bytes a block of many; both arrays grow by a sixteenth, through mremap, and never
 * shrink.
 *
 * One thread.  Addresses are the target's; sizes in bytes as asked for; times in ns since the
 * attach.  -ENOMEM is the only failure.
 */
#ifndef MEMTRACE_HEAP_LEDGER_H
#define MEMTRACE_HEAP_LEDGER_H

#include "../base/types.h"

struct block {
	taddr_t address;	/* not 0 in a ledger: no block is found there */
	uint64_t size;
	uint64_t time_ns;
	uint32_t site;
};

struct ledger {
	struct ledger_bucket *buckets;
	struct ledger_chained *chained;	/* item 0 is not used: 0 ends a chain */
	size_t buckets_room, chained_room;
	uint32_t nr_buckets;	/* a power of two plus the buckets split already */
	uint32_t round_mask;	/* that power of two, minus one */
	uint32_t nr_chained;	/* items ever used, item 0 included */
	uint32_t free_chained;	/* chain of free items */
	uint64_t nr_live;
};

int ledger_init(struct ledger *ledger);
void ledger_deinit(struct ledger *ledger);

/* A block already at this address is replaced and copied to *replaced (its free was missed);
 * otherwise replaced->address is set to 0. */
int ledger_add(struct ledger *ledger, const struct block *block, struct block *replaced);

/* True, with the block in *removed, if there was one. */
bool ledger_remove(struct ledger *ledger, taddr_t address, struct block *removed);

/* True, with a copy of the block in *found, if there is one. */
bool ledger_find(const struct ledger *ledger, taddr_t address, struct block *found);

/* For who has further events at hand, some eight ahead of their turn: has the cache fetch what
 * this address needs, and changes nothing else. */
void ledger_prefetch(const struct ledger *ledger, taddr_t address);

/* All live blocks in no order: start with *cursor == 0; false at the end. */
bool ledger_next(const struct ledger *ledger, uint64_t *cursor, struct block *out);

/* Memory held, in bytes. */
size_t ledger_bytes(const struct ledger *ledger);

#endif
