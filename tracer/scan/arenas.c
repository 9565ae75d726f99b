/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See arenas.h. */
#include "arenas.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../base/array.h"
#include "arena_parts.h"

uint64_t walk_word(struct walk *walk, taddr_t address)
{
	const struct space_range *range = walk->last;
	uint64_t word;

	if (!range || address < range->start || address >= range->end) {
		range = space_find(walk->input->space, address);
		if (!range || address < range->start)
			return 0;
		walk->last = range;
	}
	if (range->end - address < sizeof(word))
		return space_word(walk->input->space, address, &word) ? word : 0;
	memcpy(&word, range->copy + (address - range->start), sizeof(word));
	return word;
}

void walk_fail(struct walk *walk, const char *why, taddr_t at)
{
	if (walk->out->incomplete)
		return;
	walk->out->incomplete = why;
	walk->out->incomplete_at = at;
}

int walk_add_span(struct walk *walk, taddr_t start, taddr_t end)
{
	struct spans *spans = &walk->out->spans;

	if (ARRAY_GROW(spans))
		return -ENOMEM;
	spans->items[spans->nr++] = (struct span){ start, end };
	return 0;
}

static int by_address(const void *a, const void *b)
{
	taddr_t first = ((const struct arena_chunk *)a)->address;
	taddr_t second = ((const struct arena_chunk *)b)->address;

	return first < second ? -1 : first > second;
}

static int by_start(const void *a, const void *b)
{
	taddr_t first = ((const struct span *)a)->start, second = ((const struct span *)b)->start;

	return first < second ? -1 : first > second;
}

static void sort(struct walk *walk)
{
	struct arenas *out = walk->out;

	if (out->chunks.nr)
		qsort(out->chunks.items, out->chunks.nr, sizeof(*out->chunks.items), by_address);
	if (out->spans.nr)
		qsort(out->spans.items, out->spans.nr, sizeof(*out->spans.items), by_start);
	for (size_t i = 1; i < out->spans.nr; i++)
		if (out->spans.items[i].start < out->spans.items[i - 1].end)
			walk_fail(walk, "two parts of the heap overlap", out->spans.items[i].start);
}

/* Counts, and keeps what is in use. */
static void settle(struct arenas *out)
{
	size_t nr = 0;

	for (size_t i = 0; i < out->chunks.nr; i++) {
		const struct arena_chunk *chunk = &out->chunks.items[i];
		struct arena *arena = chunk->arena == ARENAS_MAPPED
			? NULL : &out->arenas.items[chunk->arena];

		if (arena && chunk->cached) {
			arena->cached_blocks++;
			arena->cached_bytes += chunk->size;
			continue;
		}
		if (arena) {
			arena->used_blocks++;
			arena->used_bytes += chunk->size;
		}
		out->chunks.items[nr++] = *chunk;
	}
	out->chunks.nr = nr;
}

static int walk_all(struct walk *walk)
{
	int error = arena_find(walk);

	for (uint32_t i = 0; i < walk->out->arenas.nr && !error; i++) {
		error = arena_walk_segments(walk, i);
		if (walk->out->arenas.items[i].busy)
			walk_fail(walk, "a thread was at work in it", walk->out->arenas.items[i].address);
	}
	if (!error && walk->layout)
		error = arena_walk_mapped(walk);
	return error;
}

int arenas_find(const struct arenas_input *input, struct arenas *out)
{
	struct walk walk = { .input = input, .out = out };
	int error;

	*out = (struct arenas){ 0 };
	error = arena_find(&walk);
	if (error)
		arenas_release(out);
	return error;
}

int arenas_walk(const struct arenas_input *input, struct arenas *out)
{
	struct walk walk = { .input = input, .out = out };
	int error;

	*out = (struct arenas){ 0 };
	error = walk_all(&walk);
	if (error) {
		arenas_release(out);
		return error;
	}
	sort(&walk);
	if (walk.layout)
		arena_mark_cached(&walk);
	settle(out);
	return 0;
}

void arenas_release(struct arenas *arenas)
{
	free(arenas->chunks.items);
	free(arenas->arenas.items);
	free(arenas->spans.items);
	*arenas = (struct arenas){ 0 };
}
