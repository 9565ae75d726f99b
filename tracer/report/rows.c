/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See rows.h.  Two passes over the blocks: which rows there are, then what is in them. */
#include "rows.h"

#include <errno.h>
#include <stdlib.h>

#include "estimates.h"
#include "wrongs.h"

struct split {
	struct model_sum kinds[SITE_KINDS], indirect;
	struct model_site *rows[SITE_KINDS];
};

/* The first four are the scan's own. */
_Static_assert((int)SITE_DEFINITE == (int)REACH_DEFINITE &&
	       (int)SITE_INDIRECT == (int)REACH_INDIRECT &&
	       (int)SITE_POSSIBLE == (int)REACH_POSSIBLE &&
	       (int)SITE_REACHABLE == (int)REACH_REACHABLE, "kinds");

static void count(struct model_sum *sum, uint64_t bytes)
{
	sum->bytes += bytes;
	sum->blocks++;
}

static const struct scan_block *scanned(const struct model *model, const struct block *block)
{
	return model->scan ? scan_find(model->scan, block->address) : NULL;
}

static enum site_kind kind_of(const struct model *model, const struct block *block)
{
	const struct scan_block *found = scanned(model, block);

	return found ? (enum site_kind)found->kind : SITE_UNFREED;
}

/* What only a lost block leads to is told of with that one. */
static void count_indirect(struct model *model, struct split *splits, const struct scan_block *block,
			   uint64_t bytes)
{
	uint32_t site = model->scan->sites[block->leader];

	count(scan_was_seen(model->scan, site) ? &splits[site].indirect : &model->indirect_of_before,
	      bytes);
}

static void split_seen(struct model *model, struct split *splits)
{
	struct block block;
	uint64_t cursor = 0;

	while (ledger_next(&model->heap->ledger, &cursor, &block)) {
		const struct scan_block *found = scanned(model, &block);
		enum site_kind kind = kind_of(model, &block);

		count(&splits[block.site].kinds[kind], block.size);
		count(&model->seen[kind], block.size);
		if (kind == SITE_INDIRECT)
			count_indirect(model, splits, found, block.size);
	}
}

static void split_before(struct model *model, struct split *splits)
{
	const struct scan *scan = model->scan;

	for (uint32_t i = 0; scan && i < scan->blocks.nr; i++) {
		const struct scan_block *block = &scan->blocks.items[i];

		if (scan_was_seen(scan, scan->sites[i]) || block->opaque)
			continue;
		count(&model->before[block->kind], block->size);
		if (block->kind == REACH_INDIRECT)
			count_indirect(model, splits, block, block->size);
	}
}

/* A place may have lost some and keep others: only what most of its blocks are of has grown. */
static bool grows(const struct model *model, const struct model_site *row)
{
	return sites_growing(model->heap->sites, row->id) &&
	       (row->kind == SITE_UNFREED || row->kind == SITE_REACHABLE ||
		row->kind == SITE_POSSIBLE) &&
	       row->bytes > row->site->live_bytes / 2;
}

static void add_row(struct model *model, uint32_t id, enum site_kind kind, struct split *split)
{
	const struct site *site = sites_get(model->heap->sites, id);
	struct model_site *row = &model->sites[model->nr_sites++];

	*row = (struct model_site){
		.site = site, .kind = kind,
		.bytes = split->kinds[kind].bytes, .blocks = split->kinds[kind].blocks,
		.allocs = site->allocs, .frees = site->frees, .peak_bytes = site->peak_bytes,
		.id = id,
		.call = model_call_of(model, id),
		.counted = { site->allocs, site->frees, split->kinds[kind].blocks },
		.first_ns = site->first_ns, .last_ns = site->last_ns,
		.lifetime_min_ns = site->lifetime_min_ns, .lifetime_max_ns = site->lifetime_max_ns,
		.lifetime_avg_ns = site->frees ? site->lifetime_sum_ns / site->frees : 0,
		.oldest_ns = UINT64_MAX,
		.smallest_bytes = UINT64_MAX,
	};
	split->rows[kind] = row;
	if (kind == SITE_DEFINITE)
		row->indirect = split->indirect;
	row->growing = grows(model, row);
	estimates_of_site(row, sites_estimate(model->heap->sites, id));
	if (row->growing)
		(void)sites_quarters(model->heap->sites, id, &row->quarters);
	model_count_growing(model, row);
}

static void note_block(struct model_site *row, const struct block *block)
{
	if (block->time_ns < row->oldest_ns) {
		row->oldest_ns = block->time_ns;
		row->oldest_address = block->address & ~ADDRESS_POOL;
	}
	if (block->time_ns > row->newest_ns)
		row->newest_ns = block->time_ns;
	if (block->size < row->smallest_bytes)
		row->smallest_bytes = block->size;
	if (block->size > row->largest_bytes)
		row->largest_bytes = block->size;
}

static void note_blocks(struct model *model, const struct split *splits)
{
	struct block block;
	uint64_t cursor = 0;

	while (ledger_next(&model->heap->ledger, &cursor, &block)) {
		note_block(splits[block.site].rows[kind_of(model, &block)], &block);
		wrongs_note_block(model, &block);
	}
}

static size_t count_rows(const struct split *splits, uint32_t nr)
{
	size_t rows = 0;

	for (uint32_t id = 0; id < nr; id++)
		for (unsigned kind = 0; kind < SITE_KINDS; kind++)
			rows += splits[id].kinds[kind].blocks != 0;
	return rows;
}

static int make_rows(struct model *model, struct split *splits, uint32_t nr)
{
	model->sites = calloc(count_rows(splits, nr) + 1, sizeof(*model->sites));
	if (!model->sites)
		return -ENOMEM;
	for (uint32_t id = 0; id < nr; id++)
		for (unsigned kind = 0; kind < SITE_KINDS; kind++)
			if (splits[id].kinds[kind].blocks)
				add_row(model, id, (enum site_kind)kind, &splits[id]);
	return 0;
}

int rows_collect(struct model *model)
{
	uint32_t nr = sites_count(model->heap->sites);
	struct split *splits = calloc(nr + 1ul, sizeof(*splits));
	int error = -ENOMEM;

	if (splits) {
		split_seen(model, splits);
		split_before(model, splits);
		error = make_rows(model, splits, nr);
	}
	if (!error)
		note_blocks(model, splits);
	free(splits);
	return error;
}

/* What is lost comes first, then what may be. */
static unsigned rank(const struct model_site *row)
{
	static const unsigned ranks[] = {
		[SITE_DEFINITE] = 0, [SITE_POSSIBLE] = 1, [SITE_UNFREED] = 2, [SITE_REACHABLE] = 3,
		[SITE_INDIRECT] = 4,
	};

	return row->kind == SITE_REACHABLE && row->growing ? ranks[SITE_UNFREED]
							     : ranks[row->kind];
}

static int compare(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

/* The last two only make the order the same in every run. */
static int compare_rows(const void *a, const void *b)
{
	const struct model_site *left = a, *right = b;
	int order = compare(rank(left), rank(right));

	if (!order)
		order = compare(right->bytes + right->indirect.bytes,
				left->bytes + left->indirect.bytes);
	if (!order)
		order = compare(right->blocks, left->blocks);
	if (!order)
		order = compare(left->first_ns, right->first_ns);
	if (!order)
		order = compare(left->site->stack, right->site->stack);
	return order ? order : compare(left->site->function, right->site->function);
}

void rows_sort(struct model *model)
{
	qsort(model->sites, model->nr_sites, sizeof(*model->sites), compare_rows);
}

bool rows_is_shown(const struct model_site *row, unsigned kinds)
{
	return row->growing || row->kind == SITE_UNFREED || kinds >> row->kind & 1;
}

size_t rows_needed(const struct model *model, unsigned kinds, size_t top)
{
	size_t nr = 0, shown = 0;

	if (!top)
		return model->nr_sites;
	for (size_t i = 0; i < model->nr_sites && shown < top; i++)
		if (rows_is_shown(&model->sites[i], kinds)) {
			nr = i + 1;
			shown++;
		}
	return nr;
}
