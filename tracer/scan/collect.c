/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See collect.h. */
#include "collect.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../base/array.h"
#include "../event/event.h"
#include "../heap/pages.h"

#define ADDRESS_END (1ull << 47)

static int add(struct collected *out, const struct scan_block *block)
{
	if (pages_grow((void **)&out->items, &out->room, out->nr, sizeof(*out->items)))
		return -ENOMEM;
	out->items[out->nr++] = *block;
	return 0;
}

static int add_span(struct spans *spans, taddr_t start, taddr_t end)
{
	if (ARRAY_GROW(spans))
		return -ENOMEM;
	spans->items[spans->nr++] = (struct span){ start, end };
	return 0;
}

static taddr_t end_of(const struct scan_block *block)
{
	return block->address + (block->size ?: 1);
}

/* The ledger knows less of where it ends, and more of all else. */
static void learn_from_ledger(struct scan_block *block, const struct ledger *ledger)
{
	struct block seen;

	if (!ledger || !ledger_find(ledger, block->address, &seen))
		return;
	if (seen.size < block->size)
		block->size = seen.size & ((1ull << 47) - 1);
	block->usable = 0;
	block->keeper = seen.site;
}

static int add_walked(struct collected *out, const struct arenas *arenas,
		      const struct ledger *ledger, uint32_t no_site)
{
	int error = 0;

	for (size_t i = 0; i < arenas->chunks.nr && !error; i++) {
		const struct arena_chunk *chunk = &arenas->chunks.items[i];
		struct scan_block block = {
			.address = chunk->address, .size = chunk->size & ((1ull << 47) - 1),
			.usable = 1, .opaque = chunk->own, .keeper = no_site,
		};

		learn_from_ledger(&block, ledger);
		error = add(out, &block);
	}
	for (size_t i = 0; i < arenas->spans.nr && !error; i++)
		error = add_span(&out->heap, arenas->spans.items[i].start,
				 arenas->spans.items[i].end);
	return error;
}

/* The last of the first nr that begins there or before; NULL: none does. */
static struct scan_block *find_before(const struct collected *out, size_t nr, taddr_t address)
{
	size_t low = 0, high = nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (out->items[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? &out->items[low - 1] : NULL;
}

static bool is_in_heap(const struct collected *out, size_t nr_spans, taddr_t address)
{
	size_t low = 0, high = nr_spans;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (out->heap.items[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low < nr_spans && out->heap.items[low].start <= address;
}

static bool can_be(const struct block *block)
{
	return !(block->address & ADDRESS_POOL) && block->address < ADDRESS_END &&
	       block->size < ADDRESS_END - block->address;
}

/* Marks the block that it has been made in; false: there is none, or that one counts itself. */
static bool take_holder(struct collected *out, size_t nr_walked, const struct block *seen,
			uint32_t no_site)
{
	struct scan_block *holder = find_before(out, nr_walked, seen->address);

	if (!holder || holder->opaque || holder->keeper != no_site ||
	    seen->address + seen->size > end_of(holder))
		return false;
	holder->is_holder = 1;
	return true;
}

/* What the walk has not found: in its heap it has a holder, or is not there any more; elsewhere it
 * is another allocator's. */
static int add_seen(struct collected *out, const struct ledger *ledger, uint32_t no_site)
{
	size_t nr_walked = out->nr, nr_spans = out->heap.nr;
	const struct scan_block *there;
	struct block seen;
	uint64_t cursor = 0;
	int error = 0;

	while (!error && ledger_next(ledger, &cursor, &seen)) {
		const struct scan_block block = {
			.address = seen.address, .size = seen.size & ((1ull << 47) - 1),
			.keeper = seen.site,
		};

		there = can_be(&seen) ? find_before(out, nr_walked, seen.address) : NULL;
		if (there && there->address == seen.address)
			continue;
		if (!can_be(&seen) || (is_in_heap(out, nr_spans, seen.address) &&
				       !take_holder(out, nr_walked, &seen, no_site)))
			out->unjudged++;
		else
			error = add(out, &block);
	}
	return error;
}

static int by_address(const void *a, const void *b)
{
	const struct scan_block *first = a, *second = b;

	if (first->address != second->address)
		return first->address < second->address ? -1 : 1;
	return second->is_holder - first->is_holder;
}

static int by_start(const void *a, const void *b)
{
	taddr_t first = ((const struct span *)a)->start, second = ((const struct span *)b)->start;

	return first < second ? -1 : first > second;
}

/* What is between the blocks that were made in it, which follow it. */
static int add_rests(struct collected *out, size_t holder)
{
	taddr_t at = out->items[holder].address, end = end_of(&out->items[holder]);
	int error = 0;

	for (size_t i = holder + 1; i < out->nr && out->items[i].address < end && !error; i++) {
		if (out->items[i].address > at)
			error = add_span(&out->rests, at, out->items[i].address);
		if (end_of(&out->items[i]) > at)
			at = end_of(&out->items[i]);
	}
	return !error && at < end ? add_span(&out->rests, at, end) : error;
}

static int drop_holders(struct collected *out)
{
	size_t nr = 0;
	int error = 0;

	for (size_t i = 0; i < out->nr && !error; i++)
		if (out->items[i].is_holder)
			error = add_rests(out, i);
	for (size_t i = 0; i < out->nr; i++)
		if (!out->items[i].is_holder)
			out->items[nr++] = out->items[i];
	out->nr = nr;
	return error;
}

/* Of two that lie at one place one has been freed, unseen: both are left out. */
static void drop_doubtful(struct collected *out)
{
	size_t nr = 0;
	taddr_t end = 0;

	for (size_t i = 0; i < out->nr; i++) {
		struct scan_block block = out->items[i];
		bool overlapped = i + 1 < out->nr && out->items[i + 1].address < end_of(&block);

		if (block.address >= end && !overlapped)
			out->items[nr++] = block;
		else
			out->unjudged++;
		if (end_of(&block) > end)
			end = end_of(&block);
	}
	out->nr = nr;
}

/* Their memory is no root either; what lies between them may be. */
static int add_spans_of_seen(struct collected *out, size_t nr_spans)
{
	int error = 0;

	for (size_t i = 0; i < out->nr && !error; i++)
		if (!is_in_heap(out, nr_spans, out->items[i].address))
			error = add_span(&out->heap, out->items[i].address, end_of(&out->items[i]));
	if (out->heap.nr)
		qsort(out->heap.items, out->heap.nr, sizeof(*out->heap.items), by_start);
	return error;
}

static int join(struct collected *out)
{
	size_t nr_spans = out->heap.nr;
	int error;

	qsort(out->items, out->nr, sizeof(*out->items), by_address);
	error = drop_holders(out);
	if (error)
		return error;
	drop_doubtful(out);
	return add_spans_of_seen(out, nr_spans);
}

int collect(struct collected *out, const struct arenas *arenas, const struct ledger *ledger,
	    uint32_t no_site)
{
	size_t nr_walked;
	int error;

	*out = (struct collected){ 0 };
	error = arenas ? add_walked(out, arenas, ledger, no_site) : 0;
	nr_walked = out->nr;
	if (!error && ledger)
		error = add_seen(out, ledger, no_site);
	return error || out->nr == nr_walked ? error : join(out);
}

void collected_release(struct collected *collected)
{
	pages_free(collected->items, collected->room, sizeof(*collected->items));
	free(collected->heap.items);
	free(collected->rests.items);
	*collected = (struct collected){ 0 };
}
