/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blocks that wait for their next use look like used ones. They are in singly linked lists: ten
 * fast bins an arena, and each thread's cache, which is itself a block. From 2.32 on a link is
 * mixed with the place that it lies at ("safe-linking"), but for the lists' heads.
 *
 * The cache's address is in a thread-local variable of libc, at one distance from the thread
 * pointer in all threads.
 */
#include <stdlib.h>

#include "arena_parts.h"

#define LOCAL_BYTES 4096	/* in which libc's variables lie, below the thread pointer */

static struct arena_chunk *find_chunk(struct walk *walk, taddr_t user)
{
	struct arena_chunks *chunks = &walk->out->chunks;
	size_t low = 0, high = chunks->nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (chunks->items[middle].address == user)
			return &chunks->items[middle];
		if (chunks->items[middle].address < user)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* The next block of a list, as the address of its user memory; `shift` from that to what a link
 * holds.  0: the end; links that lead to no block: 1. */
static taddr_t follow(struct walk *walk, taddr_t user, unsigned shift)
{
	uint64_t link = walk_word(walk, user), mixed = link ^ user >> 12;

	if (!link || !mixed)
		return 0;
	if (find_chunk(walk, mixed + shift))
		return mixed + shift;
	return find_chunk(walk, link + shift) ? link + shift : 1;
}

/* Counts a list's blocks, and marks them if asked to; false: it is none. */
static bool walk_list(struct walk *walk, taddr_t user, unsigned shift, bool mark)
{
	size_t most = walk->out->chunks.nr;

	for (size_t nr = 0; user && nr <= most; nr++) {
		struct arena_chunk *chunk = find_chunk(walk, user);

		if (!chunk)
			return false;
		if (mark)
			chunk->cached = true;
		user = follow(walk, user, shift);
	}
	return !user;
}

static void mark_fast_bins(struct walk *walk, const struct arena *arena)
{
	for (unsigned i = 0; i < walk->layout->nr_fastbins; i++) {
		taddr_t first = walk_word(walk, arena->address + walk->layout->fastbins + i * 8);

		if (first && !walk_list(walk, first + GLIBC_HEADER, GLIBC_HEADER, true))
			walk_fail(walk, "a fast bin's list is broken", first);
	}
}

static bool walk_cache(struct walk *walk, taddr_t cache, const struct glibc_tcache_layout *layout,
		       bool mark)
{
	for (unsigned i = 0; i < layout->nr_lists; i++) {
		taddr_t first = walk_word(walk, cache + layout->lists + i * 8);

		if (first && !walk_list(walk, first, 0, mark))
			return false;
	}
	return true;
}

/* Of the cache that lies there; NULL: none does. */
static const struct glibc_tcache_layout *layout_of(struct walk *walk, taddr_t cache)
{
	const struct arena_chunk *chunk = find_chunk(walk, cache);

	for (unsigned i = 0; chunk && i < GLIBC_NR_TCACHE_LAYOUTS; i++)
		if (chunk->size + GLIBC_OVERLAP == glibc_tcache_layouts[i].chunk_bytes &&
		    walk_cache(walk, cache, &glibc_tcache_layouts[i], false))
			return &glibc_tcache_layouts[i];
	return NULL;
}

static unsigned count_caches(struct walk *walk, unsigned distance)
{
	const struct arenas_input *input = walk->input;
	unsigned nr = 0;

	for (size_t i = 0; i < input->nr_threads; i++)
		nr += layout_of(walk, walk_word(walk, input->thread_pointers[i] - distance)) != NULL;
	return nr;
}

/* That with most votes. */
static unsigned find_distance(struct walk *walk)
{
	unsigned best = 0, distance = 0;

	for (unsigned at = 8; at <= LOCAL_BYTES; at += 8) {
		unsigned nr = count_caches(walk, at);

		if (nr > best) {
			best = nr;
			distance = at;
		}
	}
	return distance;
}

static void mark_cache(struct walk *walk, taddr_t cache)
{
	const struct glibc_tcache_layout *layout = layout_of(walk, cache);

	if (!layout) {
		walk->out->unknown_caches++;
		return;
	}
	find_chunk(walk, cache)->own = true;
	(void)walk_cache(walk, cache, layout, true);
}

void arena_mark_cached(struct walk *walk)
{
	const struct arenas_input *input = walk->input;
	unsigned distance;

	for (size_t i = 0; i < walk->out->arenas.nr; i++)
		mark_fast_bins(walk, &walk->out->arenas.items[i]);
	distance = find_distance(walk);
	for (size_t i = 0; i < input->nr_threads; i++)
		mark_cache(walk, distance ? walk_word(walk, input->thread_pointers[i] - distance)
					  : 0);
}
