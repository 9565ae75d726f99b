/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See variables.h.  Sorted by their places, those of one module lie together, and are one question. */
#include "variables.h"

#include <errno.h>
#include <stdlib.h>

#include "../base/array.h"
#include "places.h"

/* A place of data, and where the variable is to be told. */
struct wanted {
	code_t place;
	struct symbol_frame *variable;
};

struct question {
	struct wanted *items;
	size_t nr, room;
	uint64_t *vaddrs;
	struct symbol_frames *answers;
};

static int add(struct question *question, code_t place, struct symbol_frame *variable)
{
	if (!code_module(place) || variable->function)
		return 0;
	if (ARRAY_GROW(question))
		return -ENOMEM;
	question->items[question->nr++] = (struct wanted){ place, variable };
	return 0;
}

static int compare(const void *a, const void *b)
{
	code_t left = ((const struct wanted *)a)->place, right = ((const struct wanted *)b)->place;

	return left < right ? -1 : left > right;
}

static int gather(struct question *question, const struct model *model)
{
	int error = 0;

	for (size_t i = 0; i < model->nr_named && !error; i++) {
		struct model_keeper *keeper = &model->sites[i].keeper;

		error = add(question, keeper->place, &keeper->variable);
	}
	for (size_t i = 0; i < model->nr_groups_named && !error; i++) {
		struct model_group *group = &model->groups[i];

		error = add(question, group->keeper.place, &group->keeper.variable);
		if (!error)
			error = add(question, group->table, &group->type);
	}
	if (question->nr)
		qsort(question->items, question->nr, sizeof(*question->items), compare);
	return error;
}

bool variables_are_missing(const struct model *model, uint32_t module)
{
	struct question question = { 0 };
	bool found = false;

	if (gather(&question, model))
		found = true;	/* to be on the safe side */
	for (size_t i = 0; i < question.nr; i++)
		found |= code_module(question.items[i].place) == module;
	free(question.items);
	return found;
}

static void take(const struct question *question, size_t first, size_t end)
{
	for (size_t i = first; i < end; i++)
		if (question->answers[i].nr)
			*question->items[i].variable = question->answers[i].frames[0];
}

/* Those from first up to end, all of one module. */
static int ask_module(struct question *question, size_t first, size_t end, struct model *model)
{
	const struct run_module *module = place_module(model->facts, question->items[first].place);

	if (!module || !module->known)
		return 0;
	if (ARRAY_GROW(&model->tables))
		return -ENOMEM;
	for (size_t i = first; i < end; i++)
		question->vaddrs[i] = place_offset(module, question->items[i].place);
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

	question->vaddrs = calloc(question->nr + 1, sizeof(*question->vaddrs));
	question->answers = calloc(question->nr + 1, sizeof(*question->answers));
	if (!question->vaddrs || !question->answers)
		return -ENOMEM;
	for (size_t first = 0; first < question->nr && !error; first = end) {
		uint32_t module = code_module(question->items[first].place);

		for (end = first + 1; end < question->nr; end++)
			if (code_module(question->items[end].place) != module)
				break;
		error = ask_module(question, first, end, model);
	}
	return error;
}

int variables_resolve(struct model *model)
{
	struct question question = { 0 };
	int error = model->symbolizer ? gather(&question, model) : 0;

	if (!error && question.nr)
		error = ask(&question, model);
	free(question.items);
	free(question.vaddrs);
	free(question.answers);
	return error;
}
