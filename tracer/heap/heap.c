/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See heap.h.  One function an event; all of them change blocks through count_alloc() and
 * count_free(), so that ledger, sites and totals always agree.  A held block is in no ledger,
 * but counts as live until its realloc has ended.
 */
#include <stdlib.h>
#include <string.h>

#include "../base/array.h"
#include "heap.h"

#define HELD_MOST 4096u		/* threads that resize a block at the same time */

int heap_init(struct heap *heap)
{
	struct heap new = { .stacks = NULL };

	if (ledger_init(&new.ledger) || wrong_init(&new.wrong) || stacks_create(&new.stacks) ||
	    sites_create(&new.sites)) {
		heap_deinit(&new);
		return -ENOMEM;
	}
	*heap = new;
	return 0;
}

void heap_deinit(struct heap *heap)
{
	free(heap->held.items);
	sites_destroy(heap->sites);
	stacks_destroy(heap->stacks);
	ledger_deinit(&heap->ledger);
	wrong_deinit(&heap->wrong);
	memset(heap, 0, sizeof(*heap));
}

void heap_sample(struct heap *heap, uint64_t mean_bytes)
{
	heap->sample_bytes = mean_bytes;
	sites_sample(heap->sites, mean_bytes);
}

void heap_begin_late(struct heap *heap, bool has_calls)
{
	wrong_begin_late(&heap->wrong, has_calls);
}

int heap_restart(struct heap *heap)
{
	struct heap new;

	if (heap_init(&new))
		return -ENOMEM;
	heap_sample(&new, heap->sample_bytes);
	new.keeps_free_stacks = heap->keeps_free_stacks;
	heap_deinit(heap);
	*heap = new;
	return 0;
}

static void estimate_alloc(struct heap *heap, const struct block *block)
{
	struct site_estimate *all = &heap->estimate;
	struct estimate one = estimate_of(block->size, heap->sample_bytes);

	estimate_add(&all->allocated, &one);
	estimate_add(&all->live, &one);
	if (all->live.bytes > all->peak_bytes)
		all->peak_bytes = all->live.bytes;
}

static void estimate_free(struct heap *heap, const struct block *block, bool is_replaced)
{
	struct estimate one = estimate_of(block->size, heap->sample_bytes);

	estimate_take(&heap->estimate.live, &one);
	if (is_replaced)
		heap->replaced_blocks += one.blocks;
}

static void count_alloc(struct heap *heap, const struct block *block)
{
	struct heap_totals *totals = &heap->totals;

	sites_alloc(heap->sites, block->site, block->size, block->time_ns);
	totals->allocs++;
	totals->bytes_allocated += block->size;
	totals->live_blocks++;
	totals->live_bytes += block->size;
	if (totals->live_bytes > totals->peak_bytes)
		totals->peak_bytes = totals->live_bytes;
	if (heap->sample_bytes)
		estimate_alloc(heap, block);
}

static void count_free(struct heap *heap, const struct block *block, uint64_t now_ns,
		       uint64_t *counter)
{
	sites_free(heap->sites, block->site, block->size, block->time_ns, now_ns);
	heap->totals.live_blocks--;
	heap->totals.live_bytes -= block->size;
	++*counter;
	if (heap->sample_bytes)
		estimate_free(heap, block, counter == &heap->totals.replaced_blocks);
}

static int find_site(struct heap *heap, const struct event *event, uint32_t *out)
{
	uint32_t stack;

	if (event->site && *event->site) {
		*out = *event->site - 1;
		return 0;
	}
	if (stacks_intern(heap->stacks, event->stack, event->nr_frames, event->truncated, &stack))
		return -ENOMEM;
	if (sites_intern(heap->sites, event->function, stack, out))
		return -ENOMEM;
	if (event->site)
		*event->site = *out + 1;
	return 0;
}

static void on_alloc(struct heap *heap, const struct event *event)
{
	struct block block = {
		.address = event->address,
		.size = event->size,
		.time_ns = event->time_ns,
	}, replaced;

	if (find_site(heap, event, &block.site) ||
	    ledger_add(&heap->ledger, &block, &replaced)) {
		heap->totals.lost_events++;
		return;
	}
	if (replaced.address) {
		count_free(heap, &replaced, event->time_ns, &heap->totals.replaced_blocks);
		heap->missed_frees += !(replaced.address & ADDRESS_POOL) &&
				      !wrong_explains(&heap->wrong, replaced.address);
	}
	count_alloc(heap, &block);
	wrong_free_inside(&heap->wrong, event->address);
	heap->totals.truncated_stacks += event->truncated;
	heap->has_pools |= (event->address & ADDRESS_POOL) != 0;
}

/* Of who frees a block, or resizes it, that block is meant first; else the one that the other
 * kind of allocator has there.  A wrapper's block may be freed by free(), and its free() be given
 * one of malloc's. */
static bool remove_block(struct heap *heap, taddr_t address, struct block *out)
{
	heap->has_pools |= (address & ADDRESS_POOL) != 0;
	return ledger_remove(&heap->ledger, address, out) ||
	       (heap->has_pools && ledger_remove(&heap->ledger, address ^ ADDRESS_POOL, out));
}

/* All of its stack that is known lies in the function's own module. */
static bool is_own(const struct event *event)
{
	uint32_t i = 1;

	while (i < event->nr_frames && code_module(event->stack[i]) == code_module(*event->stack))
		i++;
	return event->from_own && i >= event->nr_frames;
}

static struct freeing freeing_of(struct heap *heap, const struct event *event)
{
	bool resizes = event->kind == EVENT_RESIZE_BEGIN;
	struct freeing free = {
		.address = resizes ? event->old_address : event->address,
		.caller = event->caller, .time_ns = event->time_ns,
		.function = event->function, .tid = event->tid, .resizes = resizes,
	};
	uint32_t site;

	if ((heap->keeps_free_stacks || event->from_own) && (event->nr_frames || event->site) &&
	    !find_site(heap, event, &site))
		free.site = site + 1;
	return free;
}

static bool is_held(const struct heap *heap, taddr_t address)
{
	for (size_t i = 0; i < heap->held.nr; i++)
		if (!((heap->held.items[i].block.address ^ address) & ~ADDRESS_POOL))
			return true;
	return false;
}

static void note_free(struct heap *heap, const struct event *event, const struct block *block)
{
	struct freeing free;

	if (heap->sample_bytes)
		return;
	free = freeing_of(heap, event);
	wrong_note_free(&heap->wrong, &free, block);
}

static void judge_free(struct heap *heap, const struct event *event)
{
	struct freeing free;

	if (heap->sample_bytes || is_own(event)) {
		heap->own_frees += is_own(event);
		return;
	}
	free = freeing_of(heap, event);
	if (free.address && !is_held(heap, free.address))
		wrong_judge(&heap->wrong, &free);
}

static void on_free(struct heap *heap, const struct event *event)
{
	struct block block;

	if (remove_block(heap, event->address, &block)) {
		count_free(heap, &block, event->time_ns, &heap->totals.frees);
		note_free(heap, event, &block);
		return;
	}
	heap->totals.unknown_frees++;
	judge_free(heap, event);
}

/* The outermost call counts: what it allocates inside is not known here, but it may free what was
 * allocated outside, as who frees an object does with what the object has. */
static void on_free_inside(struct heap *heap, const struct event *event)
{
	struct block block;

	if (ledger_remove(&heap->ledger, event->address, &block)) {
		count_free(heap, &block, event->time_ns, &heap->totals.frees);
		wrong_forget(&heap->wrong, event->address);
	}
	wrong_free_inside(&heap->wrong, event->address);
}

static void on_alloc_inside(struct heap *heap, const struct event *event)
{
	struct block block;

	if (!ledger_find(&heap->ledger, event->address, &block) &&
	    !wrong_note_inside(&heap->wrong, event->address))
		heap->totals.lost_events++;
}

/* Where another block lives by now, the held one must have gone. */
static void put_back(struct heap *heap, const struct block *block, uint64_t now_ns)
{
	struct block other;

	wrong_forget(&heap->wrong, block->address);
	if (ledger_find(&heap->ledger, block->address, &other)) {
		count_free(heap, block, now_ns, &heap->totals.replaced_blocks);
	} else if (ledger_add(&heap->ledger, block, &other)) {
		heap->totals.lost_events++;
		count_free(heap, block, now_ns, &heap->totals.replaced_blocks);
	}
}

/* Calls never seen to end would become ever more to look through.  Whichever is given up,
 * nearly surely it is one of those. */
static void give_up_one(struct heap *heap, uint64_t now_ns)
{
	struct held_block *held = &heap->held.items[heap->totals.events % heap->held.nr];
	struct block block = held->block;

	*held = heap->held.items[--heap->held.nr];
	put_back(heap, &block, now_ns);
}

/* A block that cannot be held stays in the ledger: only that it goes will be missed. */
static void on_resize_begin(struct heap *heap, const struct event *event)
{
	struct held_block held = { .tid = event->tid };

	if (ARRAY_GROW(&heap->held)) {
		heap->totals.lost_events++;
		return;
	}
	if (!remove_block(heap, event->old_address, &held.block)) {
		judge_free(heap, event);
		return;
	}
	note_free(heap, event, &held.block);
	if (heap->held.nr == HELD_MOST)
		give_up_one(heap, event->time_ns);
	heap->held.items[heap->held.nr++] = held;
}

static bool take_held(struct heap *heap, const struct event *event, struct block *out)
{
	for (size_t i = heap->held.nr; i-- > 0;) {
		struct held_block *held = &heap->held.items[i];

		if (held->tid != event->tid ||
		    (held->block.address ^ event->old_address) & ~ADDRESS_POOL)
			continue;
		*out = held->block;
		*held = heap->held.items[--heap->held.nr];
		return true;
	}
	return false;
}

static void on_resize_failed(struct heap *heap, const struct event *event)
{
	struct block block;

	heap->totals.failed_allocs++;
	if (take_held(heap, event, &block))
		put_back(heap, &block, event->time_ns);
}

static void on_resize_end(struct heap *heap, const struct event *event)
{
	struct block block;

	if (!event->address && event->size) {
		on_resize_failed(heap, event);
		return;
	}
	if (take_held(heap, event, &block))
		count_free(heap, &block, event->time_ns, &heap->totals.frees);
	else if (event->old_address)
		heap->totals.unknown_frees++;
	if (event->address)
		on_alloc(heap, event);
}

static void on_resize_lost(struct heap *heap, const struct event *event)
{
	struct block block;

	if (take_held(heap, event, &block))
		put_back(heap, &block, event->time_ns);
}

void heap_tick(struct heap *heap, uint64_t now_ns)
{
	heap->ticked_ns = now_ns;
	sites_tick(heap->sites, now_ns);
}

void heap_event(struct heap *heap, const struct event *event)
{
	heap->totals.events++;
	if (event->time_ns > heap->ticked_ns)
		heap_tick(heap, event->time_ns);
	wrong_see_time(&heap->wrong, event->time_ns);
	switch (event->kind) {
	case EVENT_ALLOC:
		on_alloc(heap, event);
		break;
	case EVENT_FREE:
		on_free(heap, event);
		break;
	case EVENT_ALLOC_INSIDE:
		on_alloc_inside(heap, event);
		break;
	case EVENT_FREE_INSIDE:
		on_free_inside(heap, event);
		break;
	case EVENT_RESIZE_BEGIN:
		on_resize_begin(heap, event);
		break;
	case EVENT_RESIZE_END:
		on_resize_end(heap, event);
		break;
	case EVENT_RESIZE_LOST:
		on_resize_lost(heap, event);
		break;
	case EVENT_FAILED:
		heap->totals.failed_allocs++;
		break;
	}
}

void heap_prefetch(const struct heap *heap, taddr_t address)
{
	ledger_prefetch(&heap->ledger, address);
	freed_prefetch(&heap->wrong.freed, address);
}

void heap_settle(struct heap *heap)
{
	while (heap->held.nr) {
		struct block block = heap->held.items[--heap->held.nr].block;

		put_back(heap, &block, block.time_ns);
	}
}

static void disown(struct heap *heap, const struct block *block)
{
	struct heap_totals *totals = &heap->totals;

	sites_disown(heap->sites, block->site, block->size);
	totals->allocs--;
	totals->bytes_allocated -= block->size;
	totals->live_blocks--;
	totals->live_bytes -= block->size;
	totals->unwatched_blocks++;
	totals->unwatched_bytes += block->size;
	if (heap->sample_bytes) {
		struct estimate one = estimate_of(block->size, heap->sample_bytes);

		estimate_take(&heap->estimate.allocated, &one);
		estimate_take(&heap->estimate.live, &one);
		estimate_add(&heap->unwatched, &one);
	}
}

void heap_disown(struct heap *heap, uint64_t now_ns)
{
	struct ledger empty;
	struct block block;
	uint64_t cursor = 0;

	heap_settle(heap);
	wrong_begin_late(&heap->wrong, true);
	if (ledger_init(&empty)) {
		heap->totals.lost_events++;
		return;
	}
	while (ledger_next(&heap->ledger, &cursor, &block))
		disown(heap, &block);
	ledger_deinit(&heap->ledger);
	heap->ledger = empty;
	heap->ticked_ns = now_ns;
	sites_begin_anew(heap->sites, now_ns);
}

static int merge_site(struct heap *heap, struct heap *other, uint32_t id, uint32_t *out)
{
	const struct site *site = sites_get(other->sites, id);
	struct stack_view view = stacks_get(other->stacks, site->stack);
	uint32_t stack;

	if (stacks_intern(heap->stacks, view.frames, view.nr_frames, view.truncated, &stack) ||
	    sites_intern(heap->sites, site->function, stack, out))
		return -ENOMEM;
	sites_join(heap->sites, *out, other->sites, id);
	return 0;
}

/* sites[]: which one each of the other's became. */
static int merge_sites(struct heap *heap, struct heap *other, uint32_t *sites)
{
	uint32_t nr = sites_count(other->sites);
	int error = 0;

	for (uint32_t id = 0; id < nr && !error; id++)
		error = merge_site(heap, other, id, &sites[id]);
	return error;
}

static int merge_blocks(struct heap *heap, const struct heap *other, const uint32_t *sites)
{
	struct block block, replaced;
	uint64_t cursor = 0;

	while (ledger_next(&other->ledger, &cursor, &block)) {
		block.site = sites[block.site];
		if (ledger_add(&heap->ledger, &block, &replaced))
			return -ENOMEM;
	}
	return 0;
}

static void merge_totals(struct heap_totals *totals, const struct heap_totals *other)
{
	totals->allocs += other->allocs;
	totals->frees += other->frees;
	totals->bytes_allocated += other->bytes_allocated;
	totals->live_blocks += other->live_blocks;
	totals->live_bytes += other->live_bytes;
	totals->peak_bytes += other->peak_bytes;
	totals->unknown_frees += other->unknown_frees;
	totals->failed_allocs += other->failed_allocs;
	totals->replaced_blocks += other->replaced_blocks;
	totals->unwatched_blocks += other->unwatched_blocks;
	totals->unwatched_bytes += other->unwatched_bytes;
	totals->truncated_stacks += other->truncated_stacks;
	totals->events += other->events;
	totals->lost_events += other->lost_events;
}

static void merge_estimates(struct heap *heap, const struct heap *other)
{
	estimate_add(&heap->estimate.allocated, &other->estimate.allocated);
	estimate_add(&heap->estimate.live, &other->estimate.live);
	estimate_add(&heap->unwatched, &other->unwatched);
	heap->estimate.peak_bytes += other->estimate.peak_bytes;
	heap->replaced_blocks += other->replaced_blocks;
}

void heap_merge(struct heap *heap, struct heap *other)
{
	uint32_t *sites = calloc((size_t)sites_count(other->sites) + 1, sizeof(*sites));

	if (!sites || merge_sites(heap, other, sites) || merge_blocks(heap, other, sites))
		heap->totals.lost_events++;
	else
		wrong_merge(&heap->wrong, &other->wrong, sites);
	heap->missed_frees += other->missed_frees;
	heap->own_frees += other->own_frees;
	merge_totals(&heap->totals, &other->totals);
	merge_estimates(heap, other);
	free(sites);
}
