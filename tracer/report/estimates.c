/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See estimates.h.  Blocks are rounded for each site, and then summed, so that the figures of a
 * report add up.
 */
#include "estimates.h"

static struct model_errors errors_of(const struct site_estimate *estimate)
{
	return (struct model_errors){
		.bytes = estimate_bytes_error(&estimate->live),
		.blocks = estimate_blocks_error(&estimate->live),
		.allocs = estimate_blocks_error(&estimate->allocated),
		.bytes_allocated = estimate_bytes_error(&estimate->allocated),
	};
}

void estimates_of_site(struct model_site *site, const struct site_estimate *estimate)
{
	if (!estimate)
		return;
	site->bytes = estimate->live.bytes;
	site->blocks = estimate_whole(estimate->live.blocks);
	site->allocs = estimate_whole(estimate->allocated.blocks);
	site->frees = site->allocs - site->blocks;
	site->peak_bytes = estimate->peak_bytes;
	site->errors = errors_of(estimate);
}

/* Sites without live blocks are in no model, but count. */
static void sum_up(struct model *model)
{
	struct sites *sites = model->heap->sites;
	struct heap_totals *totals = &model->totals;

	totals->allocs = totals->live_blocks = 0;
	for (uint32_t id = 0; id < sites_count(sites); id++) {
		const struct site_estimate *site = sites_estimate(sites, id);

		totals->allocs += estimate_whole(site->allocated.blocks);
		totals->live_blocks += estimate_whole(site->live.blocks);
	}
	totals->frees = totals->allocs - totals->live_blocks;
	totals->replaced_blocks = estimate_whole(model->heap->replaced_blocks);
	if (totals->replaced_blocks > totals->frees)
		totals->replaced_blocks = totals->frees;
	totals->frees -= totals->replaced_blocks;
}

/* Of the sites that grow, and of the others: the errors of different sites are independent. */
static void split_errors(struct model *model)
{
	struct estimate growing = { 0 }, rest = model->heap->estimate.live;

	for (size_t i = 0; i < model->nr_sites; i++) {
		const struct model_site *site = &model->sites[i];

		if (site->growing)
			estimate_add(&growing, &sites_estimate(model->heap->sites, site->id)->live);
	}
	estimate_take(&rest, &growing);
	model->growing_bytes_error = estimate_bytes_error(&growing);
	model->rest_bytes_error = estimate_bytes_error(&rest);
}

void estimates_of_all(struct model *model)
{
	const struct site_estimate *estimate = &model->heap->estimate;

	if (!model->heap->sample_bytes)
		return;
	sum_up(model);
	split_errors(model);
	model->totals.bytes_allocated = estimate->allocated.bytes;
	model->totals.live_bytes = estimate->live.bytes;
	model->totals.peak_bytes = estimate->peak_bytes;
	model->totals.unwatched_blocks = estimate_whole(model->heap->unwatched.blocks);
	model->totals.unwatched_bytes = model->heap->unwatched.bytes;
	model->errors = errors_of(estimate);
}
