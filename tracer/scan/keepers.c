/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See keepers.h.  Ways are followed from the block to the root, and each root is read once. */
#include "keepers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../base/array.h"

/* Of all ways together: a site may be at the end of a list of millions. */
#define STEPS_MOST (1u << 27)
/* A pointer is looked for in so much of a block: a table may have gigabytes. */
#define SEARCHED_BYTES (64ul << 20)

/* A pointer in a root that a way begins with. */
struct start {
	uint32_t root, id;
	size_t step;
	bool found;		/* to the block's start: there is no better one */
};

struct search {
	struct keepers *keepers;
	const struct reach *reach;
	const struct roots *roots;
	uint64_t steps_left;
	struct {
		struct start *items;
		size_t nr, room;
	} starts;
};

int keepers_init(struct keepers *keepers, const struct blocks *blocks, const uint32_t *sites,
		 uint32_t no_site)
{
	*keepers = (struct keepers){ .blocks = blocks, .sites = sites, .no_site = no_site };
	for (uint32_t id = 0; id < blocks->nr; id++)
		if (sites[id] != no_site && sites[id] >= keepers->nr_sites)
			keepers->nr_sites = sites[id] + 1ul;
	keepers->nearest = malloc((keepers->nr_sites + 1) * 2 * sizeof(*keepers->nearest));
	if (!keepers->nearest)
		return -ENOMEM;
	for (size_t i = 0; i < keepers->nr_sites * 2; i++)
		keepers->nearest[i] = BLOCKS_NONE;
	return 0;
}

void keepers_note(void *owner, uint32_t id)
{
	struct keepers *keepers = owner;
	uint32_t site = keepers->sites[id], *nearest;

	if (site == keepers->no_site)
		return;
	nearest = &keepers->nearest[site * 2ul +
				    (keepers->blocks->items[id].kind == REACH_POSSIBLE)];
	if (*nearest == BLOCKS_NONE)
		*nearest = id;
}

/* The first pointer to a block's start in [start, end), else the first one to its inside; 0: none. */
static taddr_t find_pointer(const struct reach *reach, uint32_t id, taddr_t start, taddr_t end)
{
	const struct space *space = reach->space;
	const struct space_range *range = space_find(space, start), *last = space->items + space->nr;
	taddr_t inside = 0;

	for (; range && range < last && range->start < end; range++) {
		taddr_t at = range->start > start ? range->start : start;
		taddr_t until = range->end < end ? range->end : end;

		for (at = (at + 7) & ~7ull; at + 8 <= until; at += 8) {
			uint64_t word;

			memcpy(&word, range->copy + (at - range->start), sizeof(word));
			if (word == reach->blocks->items[id].address)
				return at;
			if (!inside && blocks_holds(reach->blocks, id, word))
				inside = at;
		}
	}
	return inside;
}

static taddr_t slot_in_block(const struct reach *reach, uint32_t holder, uint32_t id)
{
	const struct scan_block *block = &reach->blocks->items[holder];
	uint64_t size = block->size < SEARCHED_BYTES ? block->size : SEARCHED_BYTES;

	return find_pointer(reach, id, block->address, block->address + size);
}

/* How many blocks are on the way to a block, with it; 0: too many. */
static uint32_t measure(struct search *search, uint32_t id, int64_t *root)
{
	uint32_t nr = 0;

	for (*root = -1; *root < 0; nr++) {
		if (!search->steps_left)
			return 0;
		search->steps_left--;
		id = reach_keeper(search->reach, id, root);
	}
	return nr;
}

static int note_start(struct search *search, int64_t root, uint32_t id, size_t step)
{
	if (ARRAY_GROW(&search->starts))
		return -ENOMEM;
	search->starts.items[search->starts.nr++] = (struct start){ (uint32_t)root, id, step, false };
	return 0;
}

static int make_room(struct keepers *keepers, uint32_t nr_steps)
{
	for (uint32_t i = 0; i < nr_steps; i++) {
		if (ARRAY_GROW(&keepers->steps))
			return -ENOMEM;
		keepers->steps.items[keepers->steps.nr++] = (struct keeper_step){ 0 };
	}
	return ARRAY_GROW(&keepers->found) ? -ENOMEM : 0;
}

/* The place of the block before which there are `before` others; KEEPER_STEPS: it is left out. */
static uint32_t place_of(const struct keeper *keeper, uint32_t before)
{
	if (before + 1 == keeper->nr_blocks)
		return keeper->nr_steps - 1;
	return before + 1 < KEEPER_STEPS ? before : KEEPER_STEPS;
}

static struct keeper_step describe(const struct search *search, uint32_t id)
{
	const struct scan_block *block = &search->reach->blocks->items[id];

	return (struct keeper_step){
		.address = block->address, .size = block->size,
		.site = search->keepers->sites[id],
	};
}

static int fill_steps(struct search *search, const struct keeper *keeper, uint32_t id)
{
	struct keeper_step *steps = search->keepers->steps.items + keeper->first_step;
	uint32_t before = keeper->nr_blocks;
	int64_t root = -1;
	int error = 0;

	while (root < 0 && !error) {
		uint32_t holder = reach_keeper(search->reach, id, &root);
		uint32_t place = place_of(keeper, --before);

		if (place < KEEPER_STEPS) {
			steps[place] = describe(search, id);
			if (root < 0)
				steps[place].slot = slot_in_block(search->reach, holder, id);
			else
				error = note_start(search, root, id, keeper->first_step + place);
		}
		id = holder;
	}
	return error;
}

static int add_keeper(struct search *search, uint32_t *nearest)
{
	struct keepers *keepers = search->keepers;
	struct keeper keeper = { .first_step = (uint32_t)keepers->steps.nr };
	uint32_t id = *nearest;
	int64_t root;
	int error;

	*nearest = BLOCKS_NONE;
	keeper.nr_blocks = measure(search, id, &root);
	if (!keeper.nr_blocks)
		return 0;
	keeper.root = search->roots->owners.items[search->reach->roots[root].owner];
	keeper.nr_steps = keeper.nr_blocks < KEEPER_STEPS ? keeper.nr_blocks : KEEPER_STEPS;
	error = make_room(keepers, keeper.nr_steps);
	if (!error)
		error = fill_steps(search, &keeper, id);
	if (error)
		return error;
	*nearest = (uint32_t)keepers->found.nr;
	keepers->found.items[keepers->found.nr++] = keeper;
	return 0;
}

static int by_root(const void *a, const void *b)
{
	const struct start *first = a, *second = b;

	if (first->root != second->root)
		return first->root < second->root ? -1 : 1;
	return first->id < second->id ? -1 : first->id > second->id;
}

/* Among the starts of one root, sorted by block. */
static void note_slot(struct search *search, struct start *starts, size_t nr, uint32_t id,
		      taddr_t at, bool to_start)
{
	size_t low = 0, high = nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (starts[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < nr && starts[low].id == id; low++) {
		struct keeper_step *step = &search->keepers->steps.items[starts[low].step];

		if (starts[low].found || (step->slot && !to_start))
			continue;
		step->slot = at;
		starts[low].found = to_start;
	}
}

static void read_root(struct search *search, struct start *starts, size_t nr)
{
	const struct reach *reach = search->reach;
	const struct reach_root *root = &reach->roots[starts->root];
	const struct space_range *range = space_find(reach->space, root->start);
	const struct space_range *last = reach->space->items + reach->space->nr;

	for (; !root->words && range && range < last && range->start < root->end; range++) {
		taddr_t at = range->start > root->start ? range->start : root->start;
		taddr_t until = range->end < root->end ? range->end : root->end;

		for (at = (at + 7) & ~7ull; at + 8 <= until; at += 8) {
			uint64_t word;
			uint32_t id;

			memcpy(&word, range->copy + (at - range->start), sizeof(word));
			id = blocks_find(reach->blocks, word);
			if (id != BLOCKS_NONE)
				note_slot(search, starts, nr, id, at,
					  word == reach->blocks->items[id].address);
		}
	}
}

static void read_roots(struct search *search)
{
	struct start *starts = search->starts.items;
	size_t end;

	if (search->starts.nr)
		qsort(search->starts.items, search->starts.nr, sizeof(*starts), by_root);
	for (size_t first = 0; first < search->starts.nr; first = end) {
		for (end = first + 1; end < search->starts.nr; end++)
			if (starts[end].root != starts[first].root)
				break;
		read_root(search, starts + first, end - first);
	}
}

int keepers_find(struct keepers *keepers, const struct reach *reach, const struct roots *roots)
{
	struct search search = {
		.keepers = keepers, .reach = reach, .roots = roots, .steps_left = STEPS_MOST,
	};
	int error = 0;

	for (size_t i = 0; i < keepers->nr_sites * 2 && !error; i++)
		if (keepers->nearest[i] != BLOCKS_NONE)
			error = add_keeper(&search, &keepers->nearest[i]);
	if (!error)
		read_roots(&search);
	free(search.starts.items);
	return error;
}

void keepers_release(struct keepers *keepers)
{
	free(keepers->nearest);
	free(keepers->found.items);
	free(keepers->steps.items);
	*keepers = (struct keepers){ 0 };
}

const struct keeper *keepers_of(const struct keepers *keepers, uint32_t site, bool possible)
{
	uint32_t index = site < keepers->nr_sites ? keepers->nearest[site * 2ul + possible]
						  : BLOCKS_NONE;

	return index == BLOCKS_NONE ? NULL : &keepers->found.items[index];
}

const struct keeper_step *keepers_steps(const struct keepers *keepers, const struct keeper *keeper)
{
	return keepers->steps.items + keeper->first_step;
}
