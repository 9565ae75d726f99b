/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The live blocks, keyed by address: a linear hash table (Litwin 1980).  It grows by one
 * bucket at a time, so no insertion ever waits for a rehash of millions.  A bucket is one
 * cache line; its tags, a byte of each block's hash, tell which block to look at, so that an
 * operation misses the cache once for the bucket and at most once more for a block:
 *
 *     buckets[]  | 12 tags | chain | 12 slots |  64 bytes for 7 blocks on average
 *                              |        |
 *                              v        v
 *     blocks[]   32 bytes each; the few beyond a bucket's 12 are chained through next
 *
 * 41 bytes a live block; both arrays grow by a sixteenth, through mremap, and never shrink.
 *
 * One thread.  Addresses are the target's; sizes in bytes as asked for; times in ns since the
 * attach.  -ENOMEM is the only failure.
 */
#ifndef MEMTRACE_HEAP_LEDGER_H
#define MEMTRACE_HEAP_LEDGER_H

#include "../base/types.h"

struct block {
	taddr_t address;	/* 0: a free slot */
	uint64_t size;
	uint64_t time_ns;
	uint32_t site;
	uint32_t next;		/* the ledger's own */
};

#define LEDGER_BUCKET_SLOTS 12

/* How many addresses ledger_announce() is best ahead of their use is twice this. */
#define LEDGER_ANNOUNCED 16

struct ledger_bucket {
	uint8_t tags[LEDGER_BUCKET_SLOTS];	/* 0: empty */
	uint32_t chain;
	uint32_t slots[LEDGER_BUCKET_SLOTS];
};

struct ledger {
	struct block *blocks;	/* slot 0 is not used: 0 ends a chain */
	struct ledger_bucket *buckets;
	size_t blocks_room, buckets_room;
	uint32_t nr_slots;	/* slots ever used, slot 0 included */
	uint32_t free_slot;	/* chain of free slots */
	uint32_t nr_buckets;	/* a power of two plus the buckets split already */
	uint32_t round_mask;	/* that power of two, minus one */
	uint64_t nr_live;
	/* The latest addresses announced: a ring. */
	taddr_t announced[LEDGER_ANNOUNCED];
	uint32_t nr_announced;
};

int ledger_init(struct ledger *ledger);
void ledger_deinit(struct ledger *ledger);

/* A block already at this address is replaced and copied to *replaced (its free was missed);
 * otherwise replaced->address is set to 0. */
int ledger_add(struct ledger *ledger, const struct block *block, struct block *replaced);

/* True, with the block in *removed, if there was one. */
bool ledger_remove(struct ledger *ledger, taddr_t address, struct block *removed);

/* NULL if there is none; valid until the next ledger_add(). */
struct block *ledger_find(const struct ledger *ledger, taddr_t address);

/* For who has many events at hand: this address will soon be added or removed.  It only has
 * the cache fetch what would else be waited for; operations on a large map are then two to
 * three times as fast. */
void ledger_announce(struct ledger *ledger, taddr_t address);

/* All live blocks in no order: start with *cursor == 0; NULL at the end. */
const struct block *ledger_next(const struct ledger *ledger, uint32_t *cursor);

/* Memory held, in bytes. */
size_t ledger_bytes(const struct ledger *ledger);

#endif
