/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See scan.h. */
#include "scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../base/array.h"
#include "../base/clock.h"
#include "../heap/pages.h"
#include "collect.h"

static taddr_t *thread_pointers(const struct snapshot *snapshot)
{
	taddr_t *pointers = calloc(snapshot->threads.nr + 1, sizeof(*pointers));

	for (size_t i = 0; pointers && i < snapshot->threads.nr; i++)
		pointers[i] = snapshot->threads.items[i].thread_pointer;
	return pointers;
}

static int walk_heap(struct scan *scan)
{
	const struct snapshot *snapshot = scan->snapshot;
	taddr_t *pointers = thread_pointers(snapshot);
	struct spans data = { 0 };
	int error = pointers ? arenas_data(&data, &snapshot->capture.maps) : -ENOMEM;

	if (!error) {
		const struct arenas_input input = {
			.space = &snapshot->capture.space, .maps = &snapshot->capture.maps,
			.data = data.items, .nr_data = data.nr,
			.thread_pointers = pointers, .nr_threads = snapshot->threads.nr,
		};

		error = arenas_walk(&input, &scan->arenas);
	}
	scan->walked = !error && scan->arenas.arenas.nr && !scan->arenas.incomplete;
	free(pointers);
	free(data.items);
	return error;
}

static int find_roots(struct scan *scan, const struct collected *collected)
{
	const struct snapshot *snapshot = scan->snapshot;
	size_t nr = snapshot->threads.nr;
	struct roots_thread *threads = calloc(nr + 1, sizeof(*threads));
	int error;

	if (!threads)
		return -ENOMEM;
	for (size_t i = 0; i < nr; i++) {
		const struct snapshot_thread *thread = &snapshot->threads.items[i];

		threads[i] = (struct roots_thread){
			.tid = thread->tid, .sp = thread->sp,
			.thread_pointer = thread->thread_pointer,
			.words = snapshot->words.items + thread->first_word,
			.nr_words = thread->nr_words,
		};
	}
	scan->threads = threads;	/* the roots use them */
	error = roots_find(&(struct roots_input){
		.space = &snapshot->capture.space, .maps = &snapshot->capture.maps,
		.threads = threads, .nr_threads = nr,
		.heap = collected->heap.items, .nr_heap = collected->heap.nr,
	}, &scan->roots);
	return error ? error : roots_add(&scan->roots, collected->rests.items,
					 collected->rests.nr);
}

/* reach_run() needs the place where they are. */
static int keep_sites(struct scan *scan, struct collected *collected)
{
	scan->sites = calloc(collected->nr + 1, sizeof(*scan->sites));
	for (size_t i = 0; scan->sites && i < collected->nr; i++) {
		scan->sites[i] = collected->items[i].keeper;
		collected->items[i].keeper = 0;
	}
	return scan->sites ? 0 : -ENOMEM;
}

/* Its items become the scan's. */
static int index_blocks(struct scan *scan, struct collected *collected)
{
	int error = keep_sites(scan, collected);

	if (!error)
		error = blocks_init(&scan->blocks, collected->items, collected->nr);
	if (error)
		return error;
	scan->blocks_room = collected->room;
	collected->items = NULL;
	collected->room = 0;
	return 0;
}

static void forget_chunks(struct arenas *arenas)
{
	free(arenas->chunks.items);
	arenas->chunks.items = NULL;
	arenas->chunks.nr = arenas->chunks.room = 0;
}

static int reach_and_explain(struct scan *scan)
{
	const struct capture *capture = &scan->snapshot->capture;
	int error = groups_init(&scan->groups, &capture->space, &capture->maps, &scan->blocks,
				scan->sites, SCAN_NO_SITE);

	if (!error)
		error = keepers_init(&scan->keepers, &scan->blocks, scan->sites, SCAN_NO_SITE);
	if (!error)
		error = reach_run(&scan->reach);
	if (error)
		return error;
	groups_add_up(&scan->groups, &capture->space, &scan->blocks, scan->sites);
	return keepers_find(&scan->keepers, &scan->reach, &scan->roots);
}

static int judge(struct scan *scan, const struct ledger *ledger, unsigned heuristics)
{
	struct collected collected;
	int error = collect(&collected, scan->walked ? &scan->arenas : NULL, ledger, SCAN_NO_SITE);

	forget_chunks(&scan->arenas);
	scan->unjudged_blocks = collected.unjudged;
	if (!error)
		error = find_roots(scan, &collected);
	if (!error)
		error = index_blocks(scan, &collected);
	collected_release(&collected);
	if (error)
		return error;
	scan->reach = (struct reach){
		.blocks = &scan->blocks, .space = &scan->snapshot->capture.space,
		.roots = scan->roots.items, .nr_roots = scan->roots.nr, .heuristics = heuristics,
		.on_reached = keepers_note, .owner = &scan->keepers,
	};
	return reach_and_explain(scan);
}

int scan_run(struct scan *scan, const struct snapshot *snapshot, const struct ledger *ledger,
	     unsigned heuristics)
{
	uint64_t began_ns = clock_ns();
	int error;

	*scan = (struct scan){ .snapshot = snapshot };
	error = walk_heap(scan);
	if (!error)
		error = judge(scan, ledger, heuristics);
	if (error)
		scan_release(scan);
	scan->duration_ns = clock_ns() - began_ns;
	return error;
}

void scan_release(struct scan *scan)
{
	struct scan_block *items = scan->blocks.items;

	if (items) {
		blocks_deinit(&scan->blocks);
		pages_free(items, scan->blocks_room, sizeof(*items));
	}
	arenas_release(&scan->arenas);
	roots_release(&scan->roots);
	keepers_release(&scan->keepers);
	groups_release(&scan->groups);
	free(scan->threads);
	free(scan->sites);
	*scan = (struct scan){ 0 };
}

const struct scan_block *scan_find(const struct scan *scan, taddr_t address)
{
	uint32_t id = blocks_find(&scan->blocks, address);

	if (id == BLOCKS_NONE || scan->blocks.items[id].address != address)
		return NULL;
	return &scan->blocks.items[id];
}
