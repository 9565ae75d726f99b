/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See chains.h. */
#include "chains.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct keeper *find(const struct model *model, const struct model_site *row)
{
	if (!model->scan || (row->kind != SITE_REACHABLE && row->kind != SITE_POSSIBLE))
		return NULL;
	return keepers_of(&model->scan->keepers, row->id, row->kind == SITE_POSSIBLE);
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
	size_t nr = 0;

	for (size_t i = 0; i < model->nr_sites; i++) {
		const struct keeper *keeper = find(model, &model->sites[i]);

		nr += keeper ? keeper->nr_steps : 0;
	}
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

/* Of several of one file, that whose code is nearest below: its data lies behind it. */
static code_t place_of(const struct model *model, const char *path, taddr_t address)
{
	const struct run_facts *facts = model->facts;
	uint32_t found = 0;

	for (uint32_t i = 0; i < facts->nr_modules; i++) {
		const struct run_module *module = &facts->modules[i];

		if (module->start > address || strcmp(module->path, path))
			continue;
		if (!found || module->start >= facts->modules[found - 1].start)
			found = i + 1;
	}
	return code_make(found, address);
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
		out->place = out->kind == ROOT_MODULE ? place_of(model, out->path, slot) :
							code_make(0, slot);
}

static void set_keeper(const struct model *model, const struct keeper *found, const size_t *rows,
		       struct model_step *steps, struct model_keeper *out)
{
	const struct keeper_step *from = keepers_steps(&model->scan->keepers, found);

	for (uint32_t i = 0; i < found->nr_steps; i++)
		steps[i] = (struct model_step){
			.address = from[i].address, .bytes = from[i].size, .slot = from[i].slot,
			.row = from[i].site == SCAN_NO_SITE ? MODEL_NO_ROW : rows[from[i].site],
		};
	*out = (struct model_keeper){
		.nr_blocks = found->nr_blocks, .steps = steps, .nr_steps = found->nr_steps,
	};
	set_root(model, found, from[0].slot, out);
}

static void fill(struct model *model, const size_t *rows)
{
	struct model_step *steps = model->steps;

	for (size_t i = 0; i < model->nr_sites; i++) {
		const struct keeper *found = find(model, &model->sites[i]);

		if (!found || !found->nr_steps)
			continue;
		set_keeper(model, found, rows, steps, &model->sites[i].keeper);
		steps += found->nr_steps;
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
	fill(model, rows);
	free(rows);
	return find_further(model);
}
