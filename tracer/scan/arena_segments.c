/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Walks the chunks of an arena, from each segment's start to its end:
 *
 *     main arena    | chunk | chunk | ... | top              the last one
 *                   | chunk | chunk | ... | fence | fence    where the break was moved by others
 *     other arenas  | header | arena | chunk | ... | top     64 MiB at most each, chained
 *                   | header | chunk | ... | fence | 0
 *
 * A chunk's size leads to the next; of a free one that has it, too.  What a segment has can only be
 * told at its end, so chunks found are dropped again where it does not come to a proper one.
 */
#include <errno.h>
#include <string.h>

#include "../base/array.h"
#include "arena_parts.h"

#define PAGE_BYTES 4096
#define SEGMENTS_MOST 4096u
#define STEPS_LEAST 65536u

struct segment {
	taddr_t start, limit;	/* it ends before that */
	taddr_t end;		/* found */
	bool has_top;
	uint64_t free_blocks, free_bytes;
};

static int add_chunk(struct walk *walk, uint32_t arena, taddr_t chunk, uint64_t bytes)
{
	struct arena_chunks *chunks = &walk->out->chunks;

	if (ARRAY_GROW(chunks))
		return -ENOMEM;
	chunks->items[chunks->nr++] = (struct arena_chunk){
		.address = chunk + GLIBC_HEADER,
		.size = bytes - GLIBC_OVERLAP,
		.arena = arena,
	};
	return 0;
}

static bool is_size(uint64_t bytes, uint64_t left)
{
	return bytes >= GLIBC_LEAST && !(bytes % GLIBC_ALIGNMENT) && bytes <= left;
}

static uint64_t bytes_of(uint64_t head)
{
	return head & ~(uint64_t)GLIBC_FLAGS;
}

/* Headers without a block, two or three; in other arenas the last one's size is 0.  Returns where
 * they end; 0: here are none. */
static taddr_t end_of_fence(struct walk *walk, taddr_t chunk)
{
	taddr_t at = chunk;

	while (at < chunk + 3 * GLIBC_HEADER && bytes_of(walk_word(walk, at + 8)) == GLIBC_HEADER)
		at += GLIBC_HEADER;
	if (walk_word(walk, at + 8) == GLIBC_PREV_INUSE)
		return at + GLIBC_HEADER;
	return at > chunk + GLIBC_HEADER ? at : 0;
}

/* One chunk: 1, and *chunk is the next; 0: the segment's proper end; else -EINVAL or -ENOMEM. */
static int step(struct walk *walk, uint32_t arena, taddr_t top, struct segment *segment,
		taddr_t *chunk)
{
	uint64_t head = walk_word(walk, *chunk + 8), bytes = bytes_of(head), next;
	int error = 0;

	segment->has_top = *chunk == top;
	segment->end = segment->has_top ? *chunk + bytes : end_of_fence(walk, *chunk);
	if (segment->end)
		return segment->end <= segment->limit ? 0 : -EINVAL;
	if (!is_size(bytes, segment->limit - *chunk) || head & GLIBC_MMAPPED)
		return -EINVAL;
	next = walk_word(walk, *chunk + bytes + 8);
	if (next & GLIBC_PREV_INUSE) {
		if (!!(head & GLIBC_NON_MAIN) != (arena > 0))
			return -EINVAL;
		error = add_chunk(walk, arena, *chunk, bytes);
	} else {
		if (walk_word(walk, *chunk + bytes) != bytes)
			return -EINVAL;
		segment->free_blocks++;
		segment->free_bytes += bytes;
	}
	*chunk += bytes;
	return error ? error : 1;
}

/* What is inconsistent may lead in circles, or be tried at a million places. */
static bool may_go_on(struct walk *walk)
{
	return walk->steps_left && walk->steps_left--;
}

/* 0; -EINVAL: it is none, and leaves nothing; *at is where. */
static int walk_segment(struct walk *walk, uint32_t arena, taddr_t top, struct segment *segment,
			taddr_t *at)
{
	size_t nr = walk->out->chunks.nr;
	int result = 1;

	*at = segment->start;
	segment->free_blocks = segment->free_bytes = 0;
	while (result > 0)
		result = *at + GLIBC_HEADER < segment->limit && may_go_on(walk)
			? step(walk, arena, top, segment, at) : -EINVAL;
	/* A fence alone may be any word that is 1. */
	if (!result && !segment->has_top && *at == segment->start)
		result = -EINVAL;
	if (result == -EINVAL)
		walk->out->chunks.nr = nr;
	return result;
}

static int keep_segment(struct walk *walk, uint32_t index, const struct segment *segment,
			taddr_t from, taddr_t top)
{
	struct arena *arena = &walk->out->arenas.items[index];

	arena->nr_segments++;
	arena->free_blocks += segment->free_blocks;
	arena->free_bytes += segment->free_bytes;
	if (segment->has_top)
		arena->top_bytes = segment->end - top;
	return walk_add_span(walk, from, segment->end);
}

static taddr_t top_of(struct walk *walk, uint32_t arena)
{
	return walk_word(walk, walk->out->arenas.items[arena].address + walk->layout->top);
}

/* Of other arenas: backwards, from the heap that top lies in. */
static int walk_heaps(struct walk *walk, uint32_t index)
{
	taddr_t arena = walk->out->arenas.items[index].address, top = top_of(walk, index);
	taddr_t heap = top & ~(GLIBC_HEAP_BYTES - 1), at;
	uint64_t header = arena & (GLIBC_HEAP_BYTES - 1), total = 0;
	int error = 0;

	for (unsigned i = 0; heap && i < SEGMENTS_MOST && !error; i++) {
		uint64_t bytes = walk_word(walk, heap + 16);
		struct segment segment = { .start = heap + header, .limit = heap + bytes };

		if (heap + header == arena)
			segment.start += (walk->layout->bytes + 15) & ~15u;
		error = walk_word(walk, heap) == arena && bytes <= GLIBC_HEAP_BYTES
			? walk_segment(walk, index, top, &segment, &at) : -EINVAL;
		if (!error)
			error = keep_segment(walk, index, &segment, heap, top);
		total += bytes;
		if (error == -EINVAL)
			walk_fail(walk, "a heap is inconsistent", at);
		heap = walk_word(walk, heap + 8);
	}
	if (error != -ENOMEM && total != walk->out->arenas.items[index].system_bytes)
		walk_fail(walk, "an arena's heaps are not as large as it says", arena);
	return error == -ENOMEM ? error : 0;
}

/* The main arena's segments may be anywhere: at the start of a page, or behind a fence. */
struct search {
	uint32_t arena;
	taddr_t top;
	uint64_t missing;	/* bytes of it that were not found yet */
};

/* A break that others have left at an odd place costs it some bytes, which it counts. */
static bool is_missing(const struct search *search)
{
	return search->missing >= GLIBC_ALIGNMENT;
}

static int try_segment(struct walk *walk, struct search *search, taddr_t start, taddr_t limit,
		       uint64_t gap, taddr_t *end)
{
	struct segment segment = { .start = start, .limit = limit };
	size_t nr = walk->out->chunks.nr;
	taddr_t at;
	int error;

	/* What was before it is not its own. */
	if ((walk_word(walk, start + 8) & GLIBC_FLAGS) != GLIBC_PREV_INUSE)
		return -EINVAL;
	error = walk_segment(walk, search->arena, search->top, &segment, &at);
	if (error)
		return error;
	if (segment.end - start + gap > search->missing) {
		walk->out->chunks.nr = nr;	/* it only looked like one */
		return -EINVAL;
	}
	*end = segment.end;
	search->missing -= segment.end - start + gap;
	return keep_segment(walk, search->arena, &segment, start, search->top);
}

/* Mapped ones start with a page; those of the break at any place that a chunk may have, since it may
 * have been moved before, or in between: for static thread-local storage, say. */
static int search_range(struct walk *walk, struct search *search, taddr_t at, taddr_t limit,
			bool is_break)
{
	taddr_t end, last = 0;
	int error;

	while (at + GLIBC_LEAST < limit && is_missing(search) && may_go_on(walk)) {
		/* Where others have moved the break, what they have got counts as the arena's. */
		error = try_segment(walk, search, at, limit, is_break && last ? at - last : 0,
				    &end);
		if (error == -ENOMEM)
			return error;
		if (!error)
			at = last = end;
		else
			at += is_break ? GLIBC_ALIGNMENT : PAGE_BYTES;
	}
	return 0;
}

static bool may_have_segments(const struct mapping *mapping, bool is_break)
{
	return mapping->readable && mapping->writable && !mapping->shared && !mapping->inode &&
	       !strcmp(mapping->path, "[heap]") == is_break && strcmp(mapping->path, "[stack]");
}

/* From mapping *i on, as far as they lie side by side: after a fork the kernel does not join what
 * comes to them. */
static int search_mappings(struct walk *walk, struct search *search, size_t *i, bool is_break)
{
	const struct maps *maps = walk->input->maps;
	taddr_t start = maps->items[*i].start;

	while (*i + 1 < maps->nr && may_have_segments(&maps->items[*i + 1], is_break) &&
	       maps->items[*i + 1].start == maps->items[*i].end)
		++*i;
	return search_range(walk, search, start, maps->items[*i].end, is_break);
}

static int walk_main(struct walk *walk)
{
	const struct maps *maps = walk->input->maps;
	struct search search = {
		.top = top_of(walk, 0),
		.missing = walk->out->arenas.items[0].system_bytes,
	};
	int error = 0;

	for (int is_break = 1; is_break >= 0; is_break--)
		for (size_t i = 0; i < maps->nr && is_missing(&search) && !error; i++)
			if (may_have_segments(&maps->items[i], is_break))
				error = search_mappings(walk, &search, &i, is_break);
	if (!error && is_missing(&search))
		walk_fail(walk, "segments of the main arena were not found",
			  walk->out->arenas.items[0].address);
	return error;
}

/* Twice what it can have, and something for gaps. */
static uint64_t steps_for(const struct walk *walk, uint64_t system_bytes)
{
	const struct space *space = walk->input->space;
	uint64_t bytes = 0;

	for (size_t i = 0; i < space->nr; i++)
		bytes += space->items[i].end - space->items[i].start;
	return (system_bytes < bytes ? system_bytes : bytes) / GLIBC_ALIGNMENT + STEPS_LEAST;
}

int arena_walk_segments(struct walk *walk, uint32_t arena)
{
	walk->steps_left = steps_for(walk, walk->out->arenas.items[arena].system_bytes);
	return arena ? walk_heaps(walk, arena) : walk_main(walk);
}
