/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The stacks of many sites share most of their frames: each distinct return address is looked
 * up once.  Sorted, the addresses of one module lie together, since the module is the upper
 * part of a code_t: each module is one question.
 */
#include <errno.h>
#include <stdlib.h>

#include "../base/array.h"
#include "../base/hash.h"
#include "../base/index.h"
#include "names.h"
#include "places.h"

struct names {
	code_t *items;			/* distinct codes; rising when all are there */
	size_t nr, room;
	struct index index;		/* of the codes */
	uint64_t *vaddrs;
	struct symbol_frames *frames;	/* nr == 0: no name */
};

static void names_deinit(struct names *names)
{
	index_deinit(&names->index);
	free(names->items);
	free(names->vaddrs);
	free(names->frames);
}

static int compare_codes(const void *a, const void *b)
{
	code_t left = *(const code_t *)a, right = *(const code_t *)b;

	return left < right ? -1 : left > right;
}

/* False: it is not there. */
static bool find(const struct names *names, code_t code, uint32_t *id)
{
	uint32_t cursor = 0;

	while (index_next(&names->index, hash_u64(code), &cursor, id))
		if (names->items[*id] == code)
			return true;
	return false;
}

static int add(struct names *names, code_t code)
{
	uint32_t id;

	if (find(names, code, &id))
		return 0;
	if (names->nr == UINT32_MAX || ARRAY_GROW(names) || index_reserve(&names->index))
		return -ENOMEM;
	index_add(&names->index, hash_u64(code), (uint32_t)names->nr);
	names->items[names->nr++] = code;
	return 0;
}

static int gather(struct names *names, const struct model *model)
{
	int error = 0;

	for (size_t i = 0; i < model_nr_calls(model); i++) {
		const struct model_call *call = model_call_at(model, i);

		for (uint32_t f = 0; f < call->nr_codes && !error; f++)
			error = add(names, call->codes[f]);
	}
	return error;
}

static int sort(struct names *names)
{
	index_deinit(&names->index);
	if (names->nr)
		qsort(names->items, names->nr, sizeof(*names->items), compare_codes);
	for (uint32_t i = 0; i < names->nr; i++) {
		if (index_reserve(&names->index))
			return -ENOMEM;
		index_add(&names->index, hash_u64(names->items[i]), i);
	}
	return 0;
}

/* All of the codes have been added. */
static int names_init(struct names *names)
{
	int error = sort(names);

	if (error)
		return error;
	names->vaddrs = calloc(names->nr + 1, sizeof(*names->vaddrs));
	names->frames = calloc(names->nr + 1, sizeof(*names->frames));
	return names->vaddrs && names->frames ? 0 : -ENOMEM;
}

/* Asks for the codes from first up to end, all of one module. */
static int ask_module(struct names *names, size_t first, size_t end, struct model *model)
{
	const struct run_module *module = place_module(model->facts, names->items[first]);

	if (!module || !module->known)
		return 0;
	if (ARRAY_GROW(&model->tables))
		return -ENOMEM;
	for (size_t i = first; i < end; i++)	/* the call, not the instruction after it */
		names->vaddrs[i] = place_offset(module, names->items[i]) - 1;
	if (symbolizer_frames(model->symbolizer, module->symbolizer_id, names->vaddrs + first,
			      end - first, names->frames + first,
			      &model->tables.items[model->tables.nr]))
		model->nameless = true;
	else
		model->tables.nr++;
	return 0;
}

static int ask(struct names *names, struct model *model)
{
	size_t end;
	int error = 0;

	if (!model->symbolizer) {
		model->nameless = true;
		return 0;
	}
	for (size_t first = 0; first < names->nr && !error; first = end) {
		uint32_t module = code_module(names->items[first]);

		for (end = first + 1; end < names->nr; end++)
			if (code_module(names->items[end]) != module)
				break;
		error = ask_module(names, first, end, model);
	}
	return error;
}

static const struct symbol_frames *look_up(const struct names *names, code_t code)
{
	uint32_t id = 0;

	find(names, code, &id);		/* gather() has added it */
	return &names->frames[id];
}

static void append(struct model_call *call, code_t code, const struct symbol_frames *known)
{
	if (!known->nr)
		call->stack[call->nr_frames++] = (struct model_frame){ .code = code };
	for (size_t i = 0; i < known->nr; i++)
		call->stack[call->nr_frames++] = (struct model_frame){
			.code = code,
			.function = known->frames[i].function,
			.file = known->frames[i].file,
			.line = known->frames[i].line,
			.inlined = known->frames[i].inlined,
		};
}

static int fill_stack(struct model_call *call, const struct names *names)
{
	size_t room = 1;

	for (uint32_t i = 0; i < call->nr_codes; i++)
		room += 1 + look_up(names, call->codes[i])->nr;
	call->stack = calloc(room, sizeof(*call->stack));
	if (!call->stack)
		return -ENOMEM;
	for (uint32_t i = 0; i < call->nr_codes; i++)
		append(call, call->codes[i], look_up(names, call->codes[i]));
	return 0;
}

int names_resolve(struct model *model)
{
	struct names names = { .nr = 0 };
	int error = gather(&names, model);

	if (!error)
		error = names_init(&names);
	if (!error)
		error = ask(&names, model);
	for (size_t i = 0; i < model_nr_calls(model) && !error; i++)
		error = fill_stack(model_call_at(model, i), &names);
	names_deinit(&names);
	return error;
}

/* The frames at one address: all but the last are inlined. */
static size_t chain_length(const struct model_call *call, size_t first)
{
	size_t end = first + 1;

	while (end < call->nr_frames && call->stack[end - 1].inlined &&
	       call->stack[end].code == call->stack[first].code)
		end++;
	return end - first;
}

static bool has_function(const struct model_frame *chain, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		if (!chain[i].function)
			return false;
	return true;
}

static bool has_file(const struct model_frame *chain, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		if (!chain[i].file)
			return false;
	return true;
}

static bool is_complete(const struct model_frame *chain, size_t nr)
{
	return has_function(chain, nr) && has_file(chain, nr);
}

bool names_are_missing(const struct model *model, uint32_t module)
{
	for (size_t i = 0; i < model_nr_calls(model); i++) {
		const struct model_call *call = model_call_at(model, i);

		for (size_t f = 0; f < call->nr_frames; f++)
			if (code_module(call->stack[f].code) == module &&
			    !is_complete(&call->stack[f], 1))
				return true;
	}
	return false;
}

static int gather_missing(struct names *names, const struct model *model)
{
	int error = 0;

	for (size_t i = 0; i < model_nr_calls(model); i++) {
		const struct model_call *call = model_call_at(model, i);

		for (size_t f = 0; f < call->nr_frames && !error; f++)
			if (!is_complete(&call->stack[f], 1))
				error = add(names, call->stack[f].code);
	}
	return error;
}

static bool is_better(const struct symbol_frames *found, const struct model_frame *chain, size_t nr)
{
	if (!found->nr)
		return false;
	return (!has_function(chain, nr) && found->frames[0].function) ||
	       (!has_file(chain, nr) && found->frames[0].file);
}

/* Nothing was asked of an address whose frames are all complete. */
static const struct symbol_frames *find_better(const struct names *names,
					       const struct model_frame *chain, size_t nr)
{
	uint32_t id;

	if (is_complete(chain, nr) || !find(names, chain->code, &id))
		return NULL;
	return is_better(&names->frames[id], chain, nr) ? &names->frames[id] : NULL;
}

static size_t room_for(const struct model_call *call, const struct names *names)
{
	size_t room = call->nr_frames + 1, nr;

	for (size_t first = 0; first < call->nr_frames; first += nr) {
		const struct symbol_frames *found;

		nr = chain_length(call, first);
		found = find_better(names, &call->stack[first], nr);
		room += found ? found->nr : 0;
	}
	return room;
}

static int complete_stack(struct model_call *call, const struct names *names)
{
	struct model_call whole = { .stack = calloc(room_for(call, names), sizeof(*whole.stack)) };
	size_t nr;

	if (!whole.stack)
		return -ENOMEM;
	for (size_t first = 0; first < call->nr_frames; first += nr) {
		const struct model_frame *chain = &call->stack[first];
		const struct symbol_frames *found;

		nr = chain_length(call, first);
		found = find_better(names, chain, nr);
		if (found)
			append(&whole, chain->code, found);
		for (size_t i = 0; i < nr && !found; i++)
			whole.stack[whole.nr_frames++] = chain[i];
	}
	free(call->stack);
	call->stack = whole.stack;
	call->nr_frames = whole.nr_frames;
	return 0;
}

int names_complete(struct model *model)
{
	struct names names = { .nr = 0 };
	int error = gather_missing(&names, model);

	if (!error)
		error = names_init(&names);
	if (!error)
		error = ask(&names, model);
	for (size_t i = 0; i < model_nr_calls(model) && !error; i++)
		error = complete_stack(model_call_at(model, i), &names);
	names_deinit(&names);
	return error;
}
