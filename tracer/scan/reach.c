/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See reach.h.  Three passes: what pointers to starts lead to; then what those to the inside, found
 * by the way, lead to; then lost.c on the rest.
 */
#include "reach.h"

#include <errno.h>
#include <stdlib.h>

#include "../heap/pages.h"
#include "inside.h"
#include "lost.h"

/* A keeper: a root's index with this bit, or a block's id. */
#define ROOT 0x80000000u

/* What is reachable or possible is known, and in the queue or past it. */
struct flood {
	struct pointers pointers;	/* first */
	const struct reach *reach;
	struct pointers_queue queue;
};

static void reached(struct flood *flood, uint32_t from, uint32_t id, enum reach_kind kind)
{
	struct scan_block *block = &flood->pointers.blocks->items[id];

	pointers_know(&flood->pointers, id);
	block->kind = kind;
	block->keeper = from;
	flood->queue.ids[flood->queue.nr++] = id;
	if (flood->reach->on_reached)
		flood->reach->on_reached(flood->reach->owner, id);
}

static bool counts(const struct flood *flood, uint32_t from, const struct scan_block *block,
		   taddr_t pointer)
{
	return pointer == block->address ||
	       (from & ROOT && flood->reach->roots[from & ~ROOT].keeps_by_insides) ||
	       inside_counts(flood->pointers.space, block, pointer, flood->reach->heuristics);
}

static void on_pointer_of_reachable(struct pointers *pointers, uint32_t from, uint32_t id,
				    taddr_t pointer)
{
	struct flood *flood = (struct flood *)pointers;
	struct scan_block *block = &pointers->blocks->items[id];

	if (counts(flood, from, block, pointer)) {
		reached(flood, from, id, REACH_REACHABLE);
	} else if (!block->pointed_into && pointer < block->address + block->size) {
		block->pointed_into = 1;
		block->keeper = from;
	}
}

static void on_pointer_of_possible(struct pointers *pointers, uint32_t from, uint32_t id,
				   taddr_t pointer)
{
	reached((struct flood *)pointers, from, id, REACH_POSSIBLE);
}

static void flood_from_roots(struct flood *flood, const struct reach *reach)
{
	flood->pointers.on_pointer = on_pointer_of_reachable;
	for (size_t i = 0; i < reach->nr_roots; i++) {
		const struct reach_root *root = &reach->roots[i];
		uint32_t from = ROOT | (uint32_t)i;

		if (i && reach->roots[i - 1].lasts && !root->lasts)
			pointers_in_queue(&flood->pointers, &flood->queue);
		if (root->words)
			pointers_in_words(&flood->pointers, from, root->words, root->nr_words);
		else
			pointers_in_range(&flood->pointers, from, root->start, root->end);
	}
	pointers_in_queue(&flood->pointers, &flood->queue);
}

static void flood_from_insides(struct flood *flood)
{
	const struct blocks *blocks = flood->pointers.blocks;

	flood->pointers.on_pointer = on_pointer_of_possible;
	for (uint32_t id = 0; id < blocks->nr; id++)
		if (blocks->items[id].pointed_into && !pointers_knows(&flood->pointers, id))
			reached(flood, blocks->items[id].keeper, id, REACH_POSSIBLE);
	pointers_in_queue(&flood->pointers, &flood->queue);
}

static void add_up(struct reach *reach)
{
	for (uint32_t id = 0; id < reach->blocks->nr; id++) {
		const struct scan_block *block = &reach->blocks->items[id];

		reach->totals[block->kind].blocks++;
		reach->totals[block->kind].bytes += block->size;
	}
}

static int judge(struct reach *reach, struct flood *flood)
{
	for (uint32_t id = 0; id < reach->blocks->nr; id++)
		reach->blocks->items[id].pointed_into = 0;
	flood_from_roots(flood, reach);
	flood_from_insides(flood);
	reach->scanned_bytes = flood->pointers.scanned_bytes;
	return lost_judge(&flood->pointers, flood->queue.ids);
}

int reach_run(struct reach *reach)
{
	uint32_t nr = reach->blocks->nr;
	struct flood flood = {
		.pointers = { .blocks = reach->blocks, .space = reach->space,
			      .known = calloc(nr / 64 + 1, sizeof(uint64_t)) },
		.reach = reach,
		.queue = { .ids = calloc(nr + 1ul, sizeof(uint32_t)) },
	};
	int error = flood.pointers.known && flood.queue.ids ? 0 : -ENOMEM;

	if (!error && nr)
		error = judge(reach, &flood);
	free(flood.pointers.known);
	free(flood.queue.ids);
	if (!error)
		add_up(reach);
	return error;
}

uint32_t reach_keeper(const struct reach *reach, uint32_t id, int64_t *root)
{
	uint32_t keeper = reach->blocks->items[id].keeper;

	*root = keeper & ROOT ? (int64_t)(keeper & ~ROOT) : -1;
	return keeper & ROOT ? BLOCKS_NONE : keeper;
}
