/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See variables.h.  Sorted by their places, those of one module lie together, and are one question. */
#include "variables.h"

#include <errno.h>
#include <stdlib.h>

#include "../base/array.h"
#include "places.h"

struct question {
	struct model_keeper **items;
	size_t nr;
	uint64_t *vaddrs;
	struct symbol_frames *answers;
};

static bool is_missing(const struct model_keeper *keeper)
{
	return keeper->nr_blocks && code_module(keeper->place) && !keeper->variable.function;
}

bool variables_are_missing(const struct model *model, uint32_t module)
{
	for (size_t i = 0; i < model->nr_named; i++) {
		const struct model_keeper *keeper = &model->sites[i].keeper;

		if (is_missing(keeper) && code_module(keeper->place) == module)
			return true;
	}
	return false;
}

static int compare(const void *a, const void *b)
{
	code_t left = (*(struct model_keeper *const *)a)->place;
	code_t right = (*(struct model_keeper *const *)b)->place;

	return left < right ? -1 : left > right;
}

static void gather(struct question *question, struct model *model)
{
	for (size_t i = 0; i < model->nr_named; i++)
		if (is_missing(&model->sites[i].keeper))
			question->items[question->nr++] = &model->sites[i].keeper;
	if (question->nr)
		qsort(question->items, question->nr, sizeof(*question->items), compare);
}

static void take(const struct question *question, size_t first, size_t end)
{
	for (size_t i = first; i < end; i++)
		if (question->answers[i].nr)
			question->items[i]->variable = question->answers[i].frames[0];
}

/* Those from first up to end, all of one module. */
static int ask_module(struct question *question, size_t first, size_t end, struct model *model)
{
	const struct run_module *module = place_module(model->facts, question->items[first]->place);

	if (!module || !module->known)
		return 0;
	if (ARRAY_GROW(&model->tables))
		return -ENOMEM;
	for (size_t i = first; i < end; i++)
		question->vaddrs[i] = place_offset(module, question->items[i]->place);
	if (symbolizer_variables(model->symbolizer, module->symbolizer_id,
				 question->vaddrs + first, end - first, question->answers + first,
				 &model->tables.items[model->tables.nr])) {
		model->nameless = true;
		return 0;
	}
	model->tables.nr++;
	take(question, first, end);
	return 0;
}

static int ask(struct question *question, struct model *model)
{
	size_t end;
	int error = 0;

	for (size_t first = 0; first < question->nr && !error; first = end) {
		uint32_t module = code_module(question->items[first]->place);

		for (end = first + 1; end < question->nr; end++)
			if (code_module(question->items[end]->place) != module)
				break;
		error = ask_module(question, first, end, model);
	}
	return error;
}

int variables_resolve(struct model *model)
{
	struct question question = {
		.items = calloc(model->nr_named + 1, sizeof(*question.items)),
		.vaddrs = calloc(model->nr_named + 1, sizeof(*question.vaddrs)),
		.answers = calloc(model->nr_named + 1, sizeof(*question.answers)),
	};
	int error = question.items && question.vaddrs && question.answers ? 0 : -ENOMEM;

	if (!error && model->symbolizer) {
		gather(&question, model);
		error = ask(&question, model);
	}
	free(question.items);
	free(question.vaddrs);
	free(question.answers);
	return error;
}
