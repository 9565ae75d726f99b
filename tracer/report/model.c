/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rows (rows.c), then the names, then the verdict.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../base/operators.h"
#include "before.h"
#include "chains.h"
#include "estimates.h"
#include "names.h"
#include "places.h"
#include "rows.h"
#include "variables.h"
#include "wrongs.h"

#define WRONG_CALLS 3

const char *model_function(const struct run_facts *facts, uint32_t function)
{
	return function < facts->nr_functions ? facts->functions[function].name : "allocator";
}

size_t model_nr_calls(const struct model *model)
{
	return model->nr_named + model->nr_further + WRONG_CALLS * model->nr_wrongs;
}

struct model_call *model_call_at(const struct model *model, size_t i)
{
	struct model_wrong *wrong;

	if (i < model->nr_named)
		return &model->sites[i].call;
	i -= model->nr_named;
	if (i < model->nr_further)
		return &model->sites[model->further[i]].call;
	i -= model->nr_further;
	wrong = &model->wrongs[i / WRONG_CALLS];
	return i % WRONG_CALLS == 0 ? &wrong->free :
	       i % WRONG_CALLS == 1 ? &wrong->first : &wrong->alloc;
}

struct model_call model_call_of(const struct model *model, uint32_t id)
{
	const struct site *site = sites_get(model->heap->sites, id);
	struct stack_view stack = stacks_get(model->heap->stacks, site->stack);

	return (struct model_call){
		.function = model_function(model->facts, site->function),
		.codes = stack.frames, .nr_codes = stack.nr_frames, .truncated = stack.truncated,
	};
}

void model_count_growing(struct model *model, const struct model_site *site)
{
	if (!site->growing)
		return;
	model->nr_growing++;
	model->growing_bytes += site->bytes;
	model->growing_blocks += site->blocks;
	model->growing_samples += site->counted.live_blocks;
}

/* Who reads the report called new, whatever new calls. */
static void strip_operator_new(struct model_call *call)
{
	const char *function;
	size_t nr = 0;

	while (nr < call->nr_frames && (function = operators_find(call->stack[nr].function))) {
		call->function = function;
		nr++;
	}
	call->nr_frames -= nr;
	if (nr)
		memmove(call->stack, call->stack + nr, call->nr_frames * sizeof(*call->stack));
}

static bool is_bare(const struct model *model, const struct model_site *site)
{
	const struct run_module *module;

	if (!site->call.nr_frames || site->call.stack[0].file)
		return false;
	module = place_module(model->facts, site->call.stack[0].code);
	return module && place_lacks_debug_info(model, module);
}

static void note_bare(struct model *model, uint32_t module)
{
	struct bare_module *bare = model->bare_modules;
	struct bare_module *end = bare + model->nr_bare_modules;

	while (bare < end && bare->module != module)
		bare++;
	if (bare == end) {
		*bare = (struct bare_module){ .module = module };
		model->nr_bare_modules++;
	}
	bare->nr_sites++;
}

static int find_bare(struct model *model)
{
	model->bare_modules = calloc(model->facts->nr_modules + 1, sizeof(*model->bare_modules));
	if (!model->bare_modules)
		return -ENOMEM;
	for (size_t i = 0; i < model->nr_named; i++) {
		const struct model_site *site = &model->sites[i];

		if (is_bare(model, site))
			note_bare(model, code_module(site->call.stack[0].code) - 1);
	}
	return 0;
}

int model_settle_names(struct model *model)
{
	for (size_t i = 0; i < model_nr_calls(model); i++)
		strip_operator_new(model_call_at(model, i));
	return find_bare(model);
}

static void take_arenas(struct model *model)
{
	const struct scan *scan = model->scan;

	if (!scan || !scan->walked)
		return;
	model->arenas = scan->arenas.arenas.items;
	model->nr_arenas = scan->arenas.arenas.nr;
	model->mapped = (struct model_sum){ scan->arenas.mapped_bytes, scan->arenas.mapped_blocks };
}

static enum verdict judge(const struct model *model)
{
	const struct run_facts *facts = model->facts;

	if (facts->incomplete || model->totals.lost_events)
		return VERDICT_INCOMPLETE;
	if (model->seen[SITE_DEFINITE].blocks || model->before[SITE_DEFINITE].blocks)
		return VERDICT_LEAK;
	if (model->nr_growing)
		return VERDICT_GROWING;
	if (model->seen[SITE_UNFREED].blocks || model->seen[SITE_POSSIBLE].blocks)
		return VERDICT_UNFREED;
	return !facts->sample_bytes && facts->launched && facts->end != RUN_DETACHED &&
	       !facts->nr_gaps ? VERDICT_NO_LEAK : VERDICT_NO_LEAK_SEEN;
}

static int build(struct model *model, const struct report_style *style)
{
	int error = wrongs_collect(model);

	if (!error)
		error = rows_collect(model);
	if (error)
		return error;
	model->counted = model->heap->totals;
	model->unwatched_bytes_error = estimate_bytes_error(&model->heap->unwatched);
	estimates_of_all(model);
	rows_sort(model);
	model->nr_named = rows_needed(model, style->kinds, style->top);
	model->verdict = judge(model);
	take_arenas(model);
	error = before_collect(model, style);
	if (!error)
		error = chains_collect(model);
	if (!error)
		error = names_resolve(model);
	if (!error)
		error = variables_resolve(model);
	if (!error)
		error = model_settle_names(model);
	if (!error)
		wrongs_check_names(model);
	return error;
}

int model_build(struct model *model, const struct run_facts *facts, struct heap *heap,
		const struct scan *scan, struct symbolizer *symbolizer,
		const struct report_style *style)
{
	struct model new = {
		.facts = facts,
		.totals = heap->totals,
		.heap = heap,
		.scan = scan,
		.symbolizer = symbolizer,
	};
	int error;

	heap_settle(heap);
	heap_tick(heap, facts->duration_ns);
	error = build(&new, style);
	if (error)
		model_release(&new);
	else
		*model = new;
	return error;
}

void model_release(struct model *model)
{
	for (size_t i = 0; i < model_nr_calls(model); i++)
		free(model_call_at(model, i)->stack);
	free(model->wrongs);
	for (size_t i = 0; i < model->tables.nr; i++)
		symbol_table_release(model->tables.items[i]);
	free(model->sites);
	free(model->groups);
	free(model->further);
	free(model->steps);
	free(model->tables.items);
	free(model->bare_modules);
	memset(model, 0, sizeof(*model));
}
