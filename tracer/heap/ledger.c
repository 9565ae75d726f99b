/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See ledger.h for the idea.  A bucket index takes one bit more of the hash than the round
 * has; where that bucket has not been split off yet, the bit is dropped again.  A bucket has
 * a chain only while all its own slots are taken.
 *
 * Blocks are compared by tag in one step for all of a bucket, without a branch that depends
 * on where the block is: the processor then works on the next operation while this one waits
 * for memory, which is worth more than any shorter code.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "../base/hash.h"
#include "ledger.h"
#include "pages.h"

#define BLOCKS_PER_BUCKET 7

static int room_for_block(struct ledger *ledger)
{
	if (ledger->nr_slots == UINT32_MAX)
		return -ENOMEM;
	return pages_grow((void **)&ledger->blocks, &ledger->blocks_room, ledger->nr_slots,
			  sizeof(*ledger->blocks));
}

static int room_for_bucket(struct ledger *ledger)
{
	return pages_grow((void **)&ledger->buckets, &ledger->buckets_room, ledger->nr_buckets,
			  sizeof(*ledger->buckets));
}

int ledger_init(struct ledger *ledger)
{
	*ledger = (struct ledger){ .nr_slots = 1, .nr_buckets = 1 };
	if (room_for_block(ledger) || room_for_bucket(ledger)) {
		ledger_deinit(ledger);
		return -ENOMEM;
	}
	return 0;
}

void ledger_deinit(struct ledger *ledger)
{
	pages_free(ledger->blocks, ledger->blocks_room, sizeof(*ledger->blocks));
	pages_free(ledger->buckets, ledger->buckets_room, sizeof(*ledger->buckets));
	memset(ledger, 0, sizeof(*ledger));
}

static struct ledger_bucket *bucket_of(const struct ledger *ledger, uint64_t hash)
{
	uint32_t i = (uint32_t)hash & (ledger->round_mask * 2 + 1);

	return &ledger->buckets[i < ledger->nr_buckets ? i : (uint32_t)hash & ledger->round_mask];
}

static uint8_t tag_of(uint64_t hash)
{
	uint8_t tag = (uint8_t)(hash >> 56);

	return tag ? tag : 1;
}

/* The high bit of each zero byte; perhaps also of bytes above one (Mycroft 1987). */
static uint64_t zero_bytes(uint64_t x)
{
	return (x - 0x0101010101010101) & ~x & 0x8080808080808080;
}

/*
 * The entries whose tag this may be, as bits for entry_of(): byte i of the result has bit 0
 * for entry i and bit 1 for entry i + 8.  The lowest bit is no mistake, later ones may be.
 */
static uint64_t entries_with(const struct ledger_bucket *bucket, uint8_t tag)
{
	uint64_t all = tag * UINT64_C(0x0101010101010101), low;
	uint32_t high;

	memcpy(&low, bucket->tags, sizeof(low));
	memcpy(&high, bucket->tags + sizeof(low), sizeof(high));
	low = zero_bytes(le64toh(low) ^ all);
	high = (uint32_t)zero_bytes(le32toh(high) ^ all);
	return low >> 7 | (uint64_t)high >> 6;
}

static unsigned entry_of(uint64_t entries)
{
	unsigned bit = (unsigned)__builtin_ctzll(entries);

	return bit / 8 + bit % 8 * 8;
}

static void place(struct ledger *ledger, uint32_t slot)
{
	uint64_t hash = hash_u64(ledger->blocks[slot].address);
	struct ledger_bucket *bucket = bucket_of(ledger, hash);
	uint64_t empty = entries_with(bucket, 0);

	if (empty) {
		unsigned i = entry_of(empty);

		bucket->tags[i] = tag_of(hash);
		bucket->slots[i] = slot;
	} else {
		ledger->blocks[slot].next = bucket->chain;
		bucket->chain = slot;
	}
}

/* Divides the next bucket of this round between itself and a new last one. */
static void split_bucket(struct ledger *ledger)
{
	uint32_t i_old = ledger->nr_buckets - (ledger->round_mask + 1), next;
	struct ledger_bucket old = ledger->buckets[i_old];

	memset(&ledger->buckets[i_old], 0, sizeof(old));
	memset(&ledger->buckets[ledger->nr_buckets], 0, sizeof(old));
	if (++ledger->nr_buckets == 2 * (ledger->round_mask + 1))
		ledger->round_mask = ledger->round_mask * 2 + 1;
	for (unsigned i = 0; i < LEDGER_BUCKET_SLOTS; i++)
		if (old.tags[i])
			place(ledger, old.slots[i]);
	for (uint32_t slot = old.chain; slot; slot = next) {
		next = ledger->blocks[slot].next;
		place(ledger, slot);
	}
}

static uint32_t take_slot(struct ledger *ledger)
{
	uint32_t slot = ledger->free_slot;

	if (slot) {
		ledger->free_slot = ledger->blocks[slot].next;
		return slot;
	}
	return room_for_block(ledger) ? 0 : ledger->nr_slots++;
}

static void give_slot(struct ledger *ledger, uint32_t slot)
{
	ledger->blocks[slot].address = 0;
	ledger->blocks[slot].next = ledger->free_slot;
	ledger->free_slot = slot;
}

static int insert(struct ledger *ledger, const struct block *block)
{
	uint32_t slot = take_slot(ledger);

	if (!slot)
		return -ENOMEM;
	ledger->blocks[slot] = *block;
	place(ledger, slot);
	/* Without memory for one more bucket the chains become longer: no failure. */
	if (++ledger->nr_live > (uint64_t)ledger->nr_buckets * BLOCKS_PER_BUCKET &&
	    !room_for_bucket(ledger))
		split_bucket(ledger);
	return 0;
}

/* The link to the block in a bucket's slots, or NULL. */
static uint32_t *find_entry(const struct ledger *ledger, struct ledger_bucket *bucket,
			    uint64_t hash, taddr_t address)
{
	uint64_t entries = entries_with(bucket, tag_of(hash));

	for (; entries; entries &= entries - 1) {
		uint32_t *link = &bucket->slots[entry_of(entries)];

		if (ledger->blocks[*link].address == address)
			return link;
	}
	return NULL;
}

/* The link to the block in a bucket's chain, or the one that ends the chain. */
static uint32_t *find_chained(const struct ledger *ledger, struct ledger_bucket *bucket,
			      taddr_t address)
{
	uint32_t *link = &bucket->chain;

	while (*link && ledger->blocks[*link].address != address)
		link = &ledger->blocks[*link].next;
	return link;
}

struct block *ledger_find(const struct ledger *ledger, taddr_t address)
{
	uint64_t hash = hash_u64(address);
	struct ledger_bucket *bucket = bucket_of(ledger, hash);
	uint32_t *link = find_entry(ledger, bucket, hash, address);

	if (!link)
		link = find_chained(ledger, bucket, address);
	return *link ? &ledger->blocks[*link] : NULL;
}

int ledger_add(struct ledger *ledger, const struct block *block, struct block *replaced)
{
	struct block *old = ledger_find(ledger, block->address);
	uint32_t next;
	int error;

	if (!old) {
		error = insert(ledger, block);
		if (!error)
			replaced->address = 0;
		return error;
	}
	next = old->next;
	*replaced = *old;
	*old = *block;
	old->next = next;
	return 0;
}

/* Takes the entry out of its bucket, which makes room for the first block of the chain. */
static void unlink_entry(struct ledger *ledger, struct ledger_bucket *bucket, uint32_t *link)
{
	uint32_t chained = bucket->chain;

	bucket->tags[link - bucket->slots] = 0;
	if (chained) {
		bucket->chain = ledger->blocks[chained].next;
		place(ledger, chained);
	}
}

bool ledger_remove(struct ledger *ledger, taddr_t address, struct block *removed)
{
	uint64_t hash = hash_u64(address);
	struct ledger_bucket *bucket = bucket_of(ledger, hash);
	uint32_t *link = find_entry(ledger, bucket, hash, address), slot;

	if (link) {
		slot = *link;
		unlink_entry(ledger, bucket, link);
	} else {
		link = find_chained(ledger, bucket, address);
		slot = *link;
		if (!slot)
			return false;
		*link = ledger->blocks[slot].next;
	}
	*removed = ledger->blocks[slot];
	give_slot(ledger, slot);
	ledger->nr_live--;
	return true;
}

/* In two steps, since which block it is stands in the bucket. */
void ledger_announce(struct ledger *ledger, taddr_t address)
{
	taddr_t *turn = &ledger->announced[ledger->nr_announced++ % LEDGER_ANNOUNCED];
	uint64_t hash = hash_u64(*turn), entries;
	struct ledger_bucket *bucket = bucket_of(ledger, hash);

	__builtin_prefetch(bucket_of(ledger, hash_u64(address)), 1);
	entries = entries_with(bucket, tag_of(hash));
	if (entries)
		__builtin_prefetch(&ledger->blocks[bucket->slots[entry_of(entries)]], 1);
	*turn = address;
}

const struct block *ledger_next(const struct ledger *ledger, uint32_t *cursor)
{
	while (++*cursor < ledger->nr_slots)
		if (ledger->blocks[*cursor].address)
			return &ledger->blocks[*cursor];
	return NULL;
}

size_t ledger_bytes(const struct ledger *ledger)
{
	return pages_bytes(ledger->blocks_room, sizeof(*ledger->blocks)) +
	       pages_bytes(ledger->buckets_room, sizeof(*ledger->buckets));
}
