/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See ledger.h for the idea.  A bucket index takes one bit more of the hash than the round
 * has; where that bucket has not been split off yet, the bit is dropped again.
 *
 * While an operation waits for memory the processor works on the next ones, unless it has
 * guessed a branch wrong that depends on that memory.  So where in its bucket a block is, is
 * found without a branch, and the filter tells nearly always that no chain need be walked.
 */
#include <errno.h>
#include <string.h>

#include "../base/hash.h"
#include "ledger.h"
#include "pages.h"

#define BUCKET_ENTRIES 5

/* A block in 24 bytes: addresses are of 56 bits at most, and so much time is two years. */
struct entry {
	uint64_t address_time;	/* address << 8 | time >> 48; 0: empty */
	uint64_t size_site;	/* size << 16 | site >> 16 */
	uint64_t time_site;	/* time << 16 | lower half of the site */
};

struct ledger_bucket {
	struct entry entries[BUCKET_ENTRIES];
	uint32_t chain;
	uint32_t filter;	/* filter_bit() of all that are chained, perhaps of more */
} __attribute__((aligned(128)));

struct ledger_chained {
	struct block block;	/* address 0: a free item */
	uint32_t next;
};

static int room_for_bucket(struct ledger *ledger)
{
	if (ledger->nr_buckets == UINT32_MAX)
		return -ENOMEM;
	return pages_grow((void **)&ledger->buckets, &ledger->buckets_room, ledger->nr_buckets,
			  sizeof(*ledger->buckets));
}

static int room_for_chained(struct ledger *ledger)
{
	if (ledger->nr_chained == UINT32_MAX)
		return -ENOMEM;
	return pages_grow((void **)&ledger->chained, &ledger->chained_room, ledger->nr_chained,
			  sizeof(*ledger->chained));
}

int ledger_init(struct ledger *ledger)
{
	*ledger = (struct ledger){ .nr_chained = 1 };
	if (room_for_bucket(ledger))
		return -ENOMEM;
	ledger->nr_buckets = 1;
	return 0;
}

void ledger_deinit(struct ledger *ledger)
{
	pages_free(ledger->buckets, ledger->buckets_room, sizeof(*ledger->buckets));
	pages_free(ledger->chained, ledger->chained_room, sizeof(*ledger->chained));
	memset(ledger, 0, sizeof(*ledger));
}

static struct ledger_bucket *bucket_of(const struct ledger *ledger, uint64_t hash)
{
	uint32_t i = (uint32_t)hash & (ledger->round_mask * 2 + 1);

	return &ledger->buckets[i & (-(uint32_t)(i < ledger->nr_buckets) | ledger->round_mask)];
}

static uint32_t filter_bit(uint64_t hash)
{
	return UINT32_C(1) << (hash >> 59);
}

static bool fits_entry(const struct block *block)
{
	return !(block->address >> 56 | block->time_ns >> 56 | block->size >> 48);
}

static void pack(struct entry *entry, const struct block *block)
{
	entry->address_time = block->address << 8 | block->time_ns >> 48;
	entry->size_site = block->size << 16 | block->site >> 16;
	entry->time_site = block->time_ns << 16 | (block->site & 0xffff);
}

static void unpack(const struct entry *entry, struct block *block)
{
	block->address = entry->address_time >> 8;
	block->size = entry->size_site >> 16;
	block->time_ns = entry->address_time << 56 >> 8 | entry->time_site >> 16;
	block->site = (uint32_t)(entry->size_site << 16) | (entry->time_site & 0xffff);
}

/* The entry with this address, 0 for an empty one; NULL if there is none. */
static inline struct entry *entry_with(struct ledger_bucket *bucket, taddr_t address)
{
	struct entry *at = bucket->entries;

#pragma GCC unroll 8
	for (unsigned i = 1; i < BUCKET_ENTRIES; i++)
		at = bucket->entries[i].address_time >> 8 == address ? &bucket->entries[i] : at;
	__asm__("" : "+r"(at)); /* else gcc makes the last choice a branch */
	return at->address_time >> 8 == address ? at : NULL;
}

static __attribute__((noinline)) int chain(struct ledger *ledger, struct ledger_bucket *bucket,
					   uint64_t hash, const struct block *block)
{
	uint32_t i = ledger->free_chained;

	if (i)
		ledger->free_chained = ledger->chained[i].next;
	else if (!room_for_chained(ledger))
		i = ledger->nr_chained++;
	else
		return -ENOMEM;
	ledger->chained[i] = (struct ledger_chained){ *block, bucket->chain };
	bucket->chain = i;
	bucket->filter |= filter_bit(hash);
	return 0;
}

static void unchain(struct ledger *ledger, struct ledger_bucket *bucket, uint32_t *link,
		    struct block *out)
{
	uint32_t i = *link;
	struct ledger_chained *item = &ledger->chained[i];

	*out = item->block;
	*link = item->next;
	*item = (struct ledger_chained){ .next = ledger->free_chained };
	ledger->free_chained = i;
	if (!bucket->chain)
		bucket->filter = 0;
}

/* The link to the block in a bucket's chain, or the one that ends the chain. */
static uint32_t *find_chained(const struct ledger *ledger, struct ledger_bucket *bucket,
			      taddr_t address)
{
	uint32_t *link = &bucket->chain;

	while (*link && ledger->chained[*link].block.address != address)
		link = &ledger->chained[*link].next;
	return link;
}

/* Room that a block has just left is enough to place it. */
static inline int place(struct ledger *ledger, const struct block *block)
{
	uint64_t hash = hash_u64(block->address);
	struct ledger_bucket *bucket = bucket_of(ledger, hash);
	struct entry *empty = entry_with(bucket, 0);

	if (!empty || !fits_entry(block))
		return chain(ledger, bucket, hash, block);
	pack(empty, block);
	return 0;
}

static bool take_chained(struct ledger *ledger, struct ledger_bucket *bucket, taddr_t address,
			 struct block *out)
{
	uint32_t *link = find_chained(ledger, bucket, address);

	if (!*link)
		return false;
	unchain(ledger, bucket, link, out);
	return true;
}

static inline bool take(struct ledger *ledger, taddr_t address, struct block *out)
{
	uint64_t hash = hash_u64(address);
	struct ledger_bucket *bucket = bucket_of(ledger, hash);
	struct entry *entry;

	if (!address)
		return false;
	__builtin_prefetch((char *)bucket + sizeof(*bucket) / 2, 1);
	entry = entry_with(bucket, address);
	if (entry) {
		unpack(entry, out);
		entry->address_time = 0;
		return true;
	}
	return bucket->filter & filter_bit(hash) && take_chained(ledger, bucket, address, out);
}

/* Divides the next bucket of this round between itself and a new last one. */
static void split_bucket(struct ledger *ledger)
{
	uint32_t i = ledger->nr_buckets - (ledger->round_mask + 1);
	struct ledger_bucket old = ledger->buckets[i];
	struct block block;

	ledger->buckets[i] = (struct ledger_bucket){ .chain = 0 };
	if (++ledger->nr_buckets == 2 * (ledger->round_mask + 1))
		ledger->round_mask = ledger->round_mask * 2 + 1;
	for (i = 0; i < BUCKET_ENTRIES; i++) {
		unpack(&old.entries[i], &block);
		if (block.address)
			place(ledger, &block);
	}
	while (old.chain) {
		unchain(ledger, &old, &old.chain, &block);
		place(ledger, &block);
	}
}

/* 3.2 blocks a bucket: more would be slower, and fewer would need more memory. */
static bool is_full(const struct ledger *ledger)
{
	return ledger->nr_live * 5 > (uint64_t)ledger->nr_buckets * 16;
}

int ledger_add(struct ledger *ledger, const struct block *block, struct block *replaced)
{
	bool replaces = take(ledger, block->address, replaced);

	if (place(ledger, block)) {
		if (replaces)
			place(ledger, replaced);
		return -ENOMEM;
	}
	if (replaces)
		return 0;
	replaced->address = 0;
	ledger->nr_live++;
	/* Without memory for one more bucket the chains become longer: no failure. */
	if (is_full(ledger) && !room_for_bucket(ledger))
		split_bucket(ledger);
	return 0;
}

bool ledger_remove(struct ledger *ledger, taddr_t address, struct block *removed)
{
	if (!take(ledger, address, removed))
		return false;
	ledger->nr_live--;
	return true;
}

bool ledger_find(const struct ledger *ledger, taddr_t address, struct block *found)
{
	struct ledger_bucket *bucket = bucket_of(ledger, hash_u64(address));
	struct entry *entry = entry_with(bucket, address);
	uint32_t chained;

	if (!address)
		return false;
	if (entry) {
		unpack(entry, found);
		return true;
	}
	chained = *find_chained(ledger, bucket, address);
	if (chained)
		*found = ledger->chained[chained].block;
	return chained;
}

/* The chained items from 1 on, then all entries. */
static void copy_nth(const struct ledger *ledger, uint64_t i, struct block *out)
{
	if (i < ledger->nr_chained) {
		*out = ledger->chained[i].block;
		return;
	}
	i -= ledger->nr_chained;
	unpack(&ledger->buckets[i / BUCKET_ENTRIES].entries[i % BUCKET_ENTRIES], out);
}

void ledger_prefetch(const struct ledger *ledger, taddr_t address)
{
	const struct ledger_bucket *bucket = bucket_of(ledger, hash_u64(address));

	__builtin_prefetch(bucket, 1);
	__builtin_prefetch((const char *)bucket + sizeof(*bucket) / 2, 1);
}

bool ledger_next(const struct ledger *ledger, uint64_t *cursor, struct block *out)
{
	uint64_t nr = ledger->nr_chained + (uint64_t)ledger->nr_buckets * BUCKET_ENTRIES;

	while (++*cursor < nr) {
		copy_nth(ledger, *cursor, out);
		if (out->address)
			return true;
	}
	return false;
}

size_t ledger_bytes(const struct ledger *ledger)
{
	return pages_bytes(ledger->buckets_room, sizeof(*ledger->buckets)) +
	       pages_bytes(ledger->chained_room, sizeof(*ledger->chained));
}
