/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See pointers.h. */
#include "pointers.h"

#define AHEAD 8

static taddr_t round_up(taddr_t address)
{
	return (address + 7) & ~7ull;
}

/* The words of a range that lie before an end. */
static const uint64_t *words_at(const struct space_range *range, taddr_t start, taddr_t end,
				size_t *nr)
{
	if (end > range->end)
		end = range->end;
	*nr = end > start ? (end - start) / 8 : 0;
	return (const uint64_t *)(range->copy + (start - range->start));
}

static taddr_t first_word(const struct space_range *range, taddr_t start)
{
	return round_up(start < range->start ? range->start : start);
}

/* Ids that are known are dropped; the others' blocks are on their way from memory. */
static size_t drop_known(const struct pointers *pointers, taddr_t *batch, uint32_t *ids, size_t nr)
{
	size_t left = 0;

	for (size_t i = 0; i < nr; i++) {
		if (ids[i] == BLOCKS_NONE || pointers_knows(pointers, ids[i]))
			continue;
		__builtin_prefetch(&pointers->blocks->items[ids[i]]);
		batch[left] = batch[i];
		ids[left++] = ids[i];
	}
	return left;
}

static void tell(struct pointers *pointers, uint32_t from, taddr_t *batch, size_t nr)
{
	uint32_t ids[BLOCKS_BATCH];

	blocks_guess(pointers->blocks, batch, nr, ids);
	nr = drop_known(pointers, batch, ids, nr);
	for (size_t i = 0; i < nr; i++)
		if (!pointers_knows(pointers, ids[i]) &&
		    blocks_holds(pointers->blocks, ids[i], batch[i]))
			pointers->on_pointer(pointers, from, ids[i], batch[i]);
}

void pointers_in_words(struct pointers *pointers, uint32_t from, const uint64_t *words, size_t nr)
{
	taddr_t lowest = pointers->blocks->lowest, reach = pointers->blocks->highest - lowest;
	taddr_t batch[BLOCKS_BATCH];
	size_t nr_batch = 0;

	pointers->scanned_bytes += nr * 8;
	for (size_t i = 0; i < nr; i++) {
		batch[nr_batch] = words[i];	/* without a branch: it is chance */
		nr_batch += words[i] - lowest <= reach;
		if (nr_batch == BLOCKS_BATCH) {
			tell(pointers, from, batch, nr_batch);
			nr_batch = 0;
		}
	}
	tell(pointers, from, batch, nr_batch);
}

void pointers_in_range(struct pointers *pointers, uint32_t from, taddr_t start, taddr_t end)
{
	const struct space *space = pointers->space;
	const struct space_range *range = space_find(space, start);
	const uint64_t *words;
	size_t nr;

	for (; range && range < space->items + space->nr && range->start < end; range++) {
		words = words_at(range, first_word(range, start), end, &nr);
		pointers_in_words(pointers, from, words, nr);
	}
}

static void in_block(struct pointers *pointers, uint32_t id)
{
	const struct scan_block *block = &pointers->blocks->items[id];

	if (!block->opaque)
		pointers_in_range(pointers, id, block->address, block->address + block->size);
}

/* Blocks come in any order: their turn is known well before. */
static void fetch_ahead(const struct pointers *pointers, const struct pointers_queue *queue)
{
	const struct scan_block *items = pointers->blocks->items;
	uint32_t ahead = queue->first + AHEAD;

	if (ahead + AHEAD < queue->nr)
		__builtin_prefetch(&items[queue->ids[ahead + AHEAD]]);
	if (ahead < queue->nr)
		space_prefetch(pointers->space, items[queue->ids[ahead]].address);
}

void pointers_in_queue(struct pointers *pointers, struct pointers_queue *queue)
{
	while (queue->first < queue->nr) {
		fetch_ahead(pointers, queue);
		in_block(pointers, queue->ids[queue->first++]);
	}
}

static uint32_t find_in(const struct pointers *pointers, const uint64_t *words, size_t nr,
			size_t *at)
{
	uint32_t id;

	for (size_t i = 0; i < nr; i++) {
		id = blocks_find(pointers->blocks, words[i]);
		if (id != BLOCKS_NONE) {
			*at = i;
			return id;
		}
	}
	return BLOCKS_NONE;
}

uint32_t pointers_next(const struct pointers *pointers, uint32_t id, uint32_t *word)
{
	const struct scan_block *block = &pointers->blocks->items[id];
	const struct space *space = pointers->space;
	taddr_t base = round_up(block->address), end = block->address + block->size, start;
	const struct space_range *range = space_find(space, base + *word * 8ull);
	const uint64_t *words;
	uint32_t found;
	size_t nr, at;

	if (block->opaque || *word == UINT32_MAX)
		return BLOCKS_NONE;
	for (; range && range < space->items + space->nr && range->start < end; range++) {
		start = first_word(range, base + *word * 8ull);
		words = words_at(range, start, end, &nr);
		found = find_in(pointers, words, nr, &at);
		at += (start - base) / 8 + 1;
		if (found != BLOCKS_NONE && at < UINT32_MAX) {
			*word = (uint32_t)at;
			return found;
		}
	}
	*word = UINT32_MAX;
	return BLOCKS_NONE;
}
