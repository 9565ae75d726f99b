/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See lost.h.  While components are looked for, a block's members mean, in Tarjan's words:
 *
 *     leader   its number, from 1 on; 0: not visited
 *     keeper   its lowlink; once its component is known, the first of that
 */
#include "lost.h"

#include <errno.h>
#include <string.h>

#include "../heap/pages.h"

struct frame {
	uint32_t id, word;	/* words before that one have been looked at */
};

struct search {
	const struct pointers *pointers;
	struct scan_block *blocks;
	uint32_t *stack, nr_stack, nr_numbered;
	struct frame *frames;
	size_t nr_frames, frames_room;
};

static int enter(struct search *search, uint32_t id)
{
	struct scan_block *block = &search->blocks[id];

	if (pages_grow((void **)&search->frames, &search->frames_room, search->nr_frames,
		       sizeof(*search->frames)))
		return -ENOMEM;
	search->frames[search->nr_frames++] = (struct frame){ .id = id };
	block->leader = block->keeper = ++search->nr_numbered;
	block->on_stack = 1;
	search->stack[search->nr_stack++] = id;
	return 0;
}

static void take_lower(struct scan_block *block, uint32_t number)
{
	if (number < block->keeper)
		block->keeper = number;
}

static void finish_component(struct search *search, uint32_t first)
{
	uint32_t id;

	do {
		id = search->stack[--search->nr_stack];
		search->blocks[id].on_stack = 0;
		search->blocks[id].keeper = first;
	} while (id != first);
}

static void leave(struct search *search)
{
	uint32_t id = search->frames[--search->nr_frames].id;
	struct scan_block *block = &search->blocks[id], *holder = NULL;
	bool is_first = block->keeper == block->leader;

	if (search->nr_frames)
		holder = &search->blocks[search->frames[search->nr_frames - 1].id];
	if (holder && is_first)
		block->has_holder = 1;
	else if (holder)
		take_lower(holder, block->keeper);
	if (is_first)
		finish_component(search, id);
}

/* The innermost frame's next pointer. */
static int step(struct search *search)
{
	struct frame *frame = &search->frames[search->nr_frames - 1];
	uint32_t id = pointers_next(search->pointers, frame->id, &frame->word);
	struct scan_block *block = id == BLOCKS_NONE ? NULL : &search->blocks[id];

	if (!block)
		leave(search);
	else if (pointers_knows(search->pointers, id))
		;
	else if (!block->leader)
		return enter(search, id);
	else if (block->on_stack)
		take_lower(&search->blocks[frame->id], block->leader);
	else
		search->blocks[block->keeper].has_holder = 1;
	return 0;
}

static int find_components(struct search *search, uint32_t nr)
{
	int error = 0;

	for (uint32_t id = 0; id < nr && !error; id++) {
		if (pointers_knows(search->pointers, id) || search->blocks[id].leader)
			continue;
		error = enter(search, id);
		while (!error && search->nr_frames)
			error = step(search);
	}
	return error;
}

static void begin(const struct pointers *pointers)
{
	struct scan_block *blocks = pointers->blocks->items;

	for (uint32_t id = 0; id < pointers->blocks->nr; id++) {
		if (pointers_knows(pointers, id))
			continue;
		blocks[id].leader = 0;
		blocks[id].on_stack = blocks[id].has_holder = 0;
	}
}

static void set_kinds(const struct pointers *pointers)
{
	struct scan_block *blocks = pointers->blocks->items;

	for (uint32_t id = 0; id < pointers->blocks->nr; id++) {
		if (pointers_knows(pointers, id))
			continue;
		blocks[id].leader = blocks[id].keeper;
		blocks[id].kind = blocks[blocks[id].keeper].has_holder ? REACH_INDIRECT
								      : REACH_DEFINITE;
	}
}

struct claim {
	struct pointers pointers;	/* first */
	struct pointers_queue queue;
};

static void claim_it(struct pointers *pointers, uint32_t from, uint32_t id, taddr_t pointer)
{
	struct claim *claim = (struct claim *)pointers;
	struct scan_block *blocks = pointers->blocks->items;

	pointers_know(pointers, id);
	if (blocks[id].kind == REACH_INDIRECT)
		blocks[id].leader = blocks[from].leader;
	claim->queue.ids[claim->queue.nr++] = id;
}

/* In the order of addresses: the first that leads to a block has it. */
static void claim_indirect(const struct pointers *pointers, uint32_t *work)
{
	struct claim claim = { .pointers = *pointers, .queue = { .ids = work } };
	const struct blocks *blocks = pointers->blocks;

	claim.pointers.on_pointer = claim_it;
	for (uint32_t id = 0; id < blocks->nr; id++) {
		if (pointers_knows(pointers, id) || blocks->items[id].kind != REACH_DEFINITE)
			continue;
		pointers_know(pointers, id);
		claim.queue.ids[claim.queue.nr++] = id;
		pointers_in_queue(&claim.pointers, &claim.queue);
	}
}

int lost_judge(const struct pointers *pointers, uint32_t *work)
{
	struct search search = { .pointers = pointers, .blocks = pointers->blocks->items,
				 .stack = work };
	int error;

	begin(pointers);
	error = find_components(&search, pointers->blocks->nr);
	pages_free(search.frames, search.frames_room, sizeof(*search.frames));
	if (error)
		return error;
	set_kinds(pointers);
	claim_indirect(pointers, work);
	return 0;
}
