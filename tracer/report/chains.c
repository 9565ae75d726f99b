/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See chains.h. */
#include "chains.h"

#include <errno.h>
#include <stdlib.h>

#include "places.h"

static const struct keeper *find(const struct model *model, uint32_t site, enum site_kind kind)
{
	if (kind != SITE_REACHABLE && kind != SITE_POSSIBLE)
		return NULL;
	return keepers_of(&model->scan->keepers, site, kind == SITE_POSSIBLE);
}

/* A row of each site, since all of one site have the same stack; what is kept keeps others. */
static size_t *find_rows(const struct model *model)
{
	uint32_t nr = sites_count(model->heap->sites);
	size_t *rows = malloc((nr + 1ul) * sizeof(*rows));

	for (uint32_t id = 0; rows && id < nr; id++)
		rows[id] = MODEL_NO_ROW;
	for (size_t i = 0; rows && i < model->nr_sites; i++) {
		const struct model_site *row = &model->sites[i];

		if (rows[row->id] == MODEL_NO_ROW || row->kind == SITE_REACHABLE)
			rows[row->id] = i;
	}
	return rows;
}

static size_t count_steps(const struct model *model)
{
	const struct keepers *keepers = &model->scan->keepers;
	size_t nr = 0;

	for (size_t i = 0; i < keepers->found.nr; i++)
		nr += keepers->found.items[i].nr_steps;
	return nr;
}

/* What lies behind a file's data is its .bss. */
static const struct mapping *mapping_of(const struct model *model, const struct root_owner *root)
{
	const struct maps *maps = &model->scan->snapshot->capture.maps;
	const struct mapping *mapping;

	if (root->mapping >= maps->nr)
		return NULL;
	mapping = &maps->items[root->mapping];
	while (root->kind == ROOT_MODULE && !*mapping->path && mapping > maps->items)
		mapping--;
	return mapping;
}

static void set_root(const struct model *model, const struct keeper *found, taddr_t slot,
		     struct model_keeper *out)
{
	const struct mapping *mapping = NULL;

	out->kind = found->root.kind;
	out->tid = found->root.tid;
	if (out->kind == ROOT_MODULE || out->kind == ROOT_OTHER)
		mapping = mapping_of(model, &found->root);
	out->path = mapping ? mapping->path : "";
	if (slot)
		out->place = out->kind == ROOT_MODULE ? place_of_data(model->facts, out->path, slot) :
							code_make(0, slot);
}

static void set_keeper(const struct model *model, const struct keeper *found, const size_t *rows,
		       struct model_step *steps, struct model_keeper *out)
{
	const struct keeper_step *from = keepers_steps(&model->scan->keepers, found);

	for (uint32_t i = 0; i < found->nr_steps; i++)
		steps[i] = (struct model_step){
			.address = from[i].address, .bytes = from[i].size, .slot = from[i].slot,
			.row = scan_was_seen(model->scan, from[i].site) ? rows[from[i].site] :
									   MODEL_NO_ROW,
		};
	*out = (struct model_keeper){
		.nr_blocks = found->nr_blocks, .steps = steps, .nr_steps = found->nr_steps,
	};
	set_root(model, found, from[0].slot, out);
}

/* How many steps there are. */
static size_t fill(const struct model *model, uint32_t site, enum site_kind kind,
		   const size_t *rows, struct model_step *steps, struct model_keeper *out)
{
	const struct keeper *found = find(model, site, kind);

	if (!found || !found->nr_steps)
		return 0;
	set_keeper(model, found, rows, steps, out);
	return found->nr_steps;
}

static void fill_all(struct model *model, const size_t *rows)
{
	struct model_step *steps = model->steps;

	for (size_t i = 0; i < model->nr_sites; i++) {
		struct model_site *row = &model->sites[i];

		steps += fill(model, row->id, row->kind, rows, steps, &row->keeper);
	}
	for (size_t i = 0; i < model->nr_groups; i++) {
		struct model_group *group = &model->groups[i];

		steps += fill(model, group->site, group->kind, rows, steps, &group->keeper);
	}
}

static void note_further(struct model *model, const struct model_keeper *keeper, bool *noted)
{
	for (size_t i = 0; i < keeper->nr_steps; i++) {
		size_t row = keeper->steps[i].row;

		if (row == MODEL_NO_ROW || row < model->nr_named || noted[row])
			continue;
		noted[row] = true;
		model->further[model->nr_further++] = row;
	}
}

static int find_further(struct model *model)
{
	bool *noted = calloc(model->nr_sites + 1, sizeof(*noted));

	model->further = calloc(model->nr_sites - model->nr_named + 1, sizeof(*model->further));
	if (!noted || !model->further) {
		free(noted);
		return -ENOMEM;
	}
	for (size_t i = 0; i < model->nr_named; i++)
		note_further(model, &model->sites[i].keeper, noted);
	free(noted);
	return 0;
}

int chains_collect(struct model *model)
{
	size_t *rows;

	if (!model->scan)
		return 0;
	rows = find_rows(model);
	model->steps = calloc(count_steps(model) + 1, sizeof(*model->steps));
	if (!rows || !model->steps) {
		free(rows);
		return -ENOMEM;
	}
	fill_all(model, rows);
	free(rows);
	return find_further(model);
}
