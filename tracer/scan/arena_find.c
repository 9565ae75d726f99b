/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds the main arena in libc's data without symbols: each word may be the link of any layout.  An
 * arena's bins are rings through itself: 127 of them are no chance.
 */
#include <errno.h>
#include <string.h>

#include "../base/array.h"
#include "arena_parts.h"

#define ARENAS_MOST 65536u
#define BINS_LEAST 120u
#define HEADER_MOST 64u		/* of a heap: 32 bytes, 48 from 2.35 on */

static bool is_bytes(uint64_t bytes)
{
	return bytes && bytes >> 47 == 0;
}

/* Empty, or its first and last chunk point back. */
static bool is_bin(struct walk *walk, taddr_t bin)
{
	taddr_t first = walk_word(walk, bin + 16), last = walk_word(walk, bin + 24);

	if (first == bin)
		return last == bin;
	return first && last && walk_word(walk, first + 24) == bin &&
	       walk_word(walk, last + 16) == bin;
}

static bool has_bins(struct walk *walk, const struct glibc_arena_layout *layout, taddr_t arena)
{
	unsigned nr = 0;

	for (unsigned i = 0; i < GLIBC_BINS; i++) {
		/* As if each were a chunk, of which there are just the two links. */
		nr += is_bin(walk, arena + layout->bins + i * 16 - 16);
		if (i == 16 && nr < 8)
			return false;
	}
	return nr >= BINS_LEAST;
}

static bool is_behind_header(taddr_t address)
{
	return address % GLIBC_HEAP_BYTES <= HEADER_MOST;
}

/* Others lie in their first heap, which begins with their address. */
static bool is_other_arena(struct walk *walk, const struct glibc_arena_layout *layout,
			   taddr_t address)
{
	taddr_t heap = address & ~(GLIBC_HEAP_BYTES - 1);

	return is_behind_header(address) && walk_word(walk, heap) == address &&
	       is_bytes(walk_word(walk, address + layout->system_bytes));
}

/* Bins alone do not tell: some words before and behind it are such rings, too. */
static bool looks_like_arena(struct walk *walk, const struct glibc_arena_layout *layout,
			     taddr_t arena)
{
	uint64_t system_bytes = walk_word(walk, arena + layout->system_bytes);
	taddr_t next = walk_word(walk, arena + layout->next);

	return (next == arena || is_other_arena(walk, layout, next)) && is_bytes(system_bytes) &&
	       system_bytes <= walk_word(walk, arena + layout->most_bytes) &&
	       has_bins(walk, layout, arena);
}

static int add_arena(struct walk *walk, taddr_t address)
{
	if (ARRAY_GROW(&walk->out->arenas))
		return -ENOMEM;
	walk->out->arenas.items[walk->out->arenas.nr++] = (struct arena){
		.address = address,
		.busy = (uint32_t)walk_word(walk, address) != 0,
		.system_bytes = walk_word(walk, address + walk->layout->system_bytes),
	};
	return 0;
}

static int follow_ring(struct walk *walk, taddr_t main_arena)
{
	taddr_t arena = main_arena;
	int error;

	do {
		if (arena != main_arena && !is_other_arena(walk, walk->layout, arena)) {
			walk_fail(walk, "the ring of arenas is broken", arena);
			return 0;
		}
		error = add_arena(walk, arena);
		if (error)
			return error;
		arena = walk_word(walk, arena + walk->layout->next);
	} while (arena != main_arena && walk->out->arenas.nr < ARENAS_MOST);
	if (arena != main_arena)
		walk_fail(walk, "the ring of arenas does not close", arena);
	return 0;
}

/* Whether the word at an address is some arena's link in the ring.  Of all words of a program the
 * cheap test comes first: most are no address of an arena. */
static bool is_link(struct walk *walk, taddr_t at, uint64_t word, taddr_t *found)
{
	for (unsigned i = 0; i < GLIBC_NR_ARENA_LAYOUTS; i++) {
		taddr_t arena = at - glibc_arena_layouts[i].next;

		if ((word == arena || is_behind_header(word)) &&
		    looks_like_arena(walk, &glibc_arena_layouts[i], arena)) {
			walk->layout = &glibc_arena_layouts[i];
			*found = arena;
			return true;
		}
	}
	return false;
}

/* In what is there of it: a .bss may be gigabytes that nobody ever touched. */
static bool find_in(struct walk *walk, const struct span *data, taddr_t *found)
{
	const struct space *space = walk->input->space;
	const struct space_range *range = space_find(space, data->start), *end;

	for (end = space->items + space->nr; range && range < end && range->start < data->end;
	     range++) {
		taddr_t at = range->start > data->start ? range->start : data->start;
		taddr_t last = range->end < data->end ? range->end : data->end;

		for (at = (at + 7) & ~7ull; at + 8 <= last; at += 8) {
			uint64_t word;

			memcpy(&word, range->copy + (at - range->start), sizeof(word));
			if (word && is_link(walk, at, word, found))
				return true;
		}
	}
	return false;
}

int arena_find(struct walk *walk)
{
	taddr_t arena;
	int error;

	for (size_t i = 0; i < walk->input->nr_data; i++) {
		if (!find_in(walk, &walk->input->data[i], &arena))
			continue;
		error = walk_add_span(walk, arena, arena + walk->layout->bytes);
		return error ? error : follow_ring(walk, arena);
	}
	return 0;
}
