/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The stacks of many sites share most of their frames: each distinct return address is looked
 * up once.  Sorted, the addresses of one module lie together, since the module is the upper
 * part of a code_t: each module is one question.
 */
#include <errno.h>
#include <stdlib.h>

#include "names.h"
#include "places.h"

struct names {
	code_t *codes;			/* distinct, rising */
	uint64_t *vaddrs;
	struct symbol_frames *frames;	/* nr == 0: no name */
	size_t nr;
};

static void names_deinit(struct names *names)
{
	free(names->codes);
	free(names->vaddrs);
	free(names->frames);
}

static struct stack_view stack_of(const struct model *model, const struct model_site *site)
{
	return stacks_get(model->heap->stacks, site->site->stack);
}

static int compare_codes(const void *a, const void *b)
{
	code_t left = *(const code_t *)a, right = *(const code_t *)b;

	return left < right ? -1 : left > right;
}

static size_t nr_frames_of_all(const struct model *model)
{
	size_t nr = 0;

	for (size_t i = 0; i < model->nr_sites; i++)
		nr += stack_of(model, &model->sites[i]).nr_frames;
	return nr;
}

static void gather(struct names *names, const struct model *model)
{
	size_t nr = 0;

	for (size_t i = 0; i < model->nr_sites; i++) {
		struct stack_view stack = stack_of(model, &model->sites[i]);

		for (uint32_t f = 0; f < stack.nr_frames; f++)
			names->codes[nr++] = stack.frames[f];
	}
	qsort(names->codes, nr, sizeof(*names->codes), compare_codes);
	for (size_t i = 0; i < nr; i++)
		if (!i || names->codes[i] != names->codes[i - 1])
			names->codes[names->nr++] = names->codes[i];
}

static int names_init(struct names *names, const struct model *model)
{
	size_t room = nr_frames_of_all(model) + 1;

	names->codes = calloc(room, sizeof(*names->codes));
	if (!names->codes)
		return -ENOMEM;
	gather(names, model);
	names->vaddrs = calloc(names->nr + 1, sizeof(*names->vaddrs));
	names->frames = calloc(names->nr + 1, sizeof(*names->frames));
	return names->vaddrs && names->frames ? 0 : -ENOMEM;
}

/* Asks for the codes from first up to end, all of one module. */
static void ask_module(struct names *names, size_t first, size_t end, struct model *model)
{
	const struct run_module *module = place_module(model->facts, names->codes[first]);

	if (!module || !module->known)
		return;
	for (size_t i = first; i < end; i++)	/* the call, not the instruction after it */
		names->vaddrs[i] = place_offset(module, names->codes[i]) - 1;
	if (symbolizer_frames(model->symbolizer, module->symbolizer_id, names->vaddrs + first,
			      end - first, names->frames + first, &model->tables[model->nr_tables]))
		model->nameless = true;
	else
		model->nr_tables++;
}

static int ask(struct names *names, struct model *model)
{
	size_t end;

	if (!model->symbolizer) {
		model->nameless = true;
		return 0;
	}
	model->tables = calloc(model->facts->nr_modules + 1, sizeof(*model->tables));
	if (!model->tables)
		return -ENOMEM;
	for (size_t first = 0; first < names->nr; first = end) {
		uint32_t module = code_module(names->codes[first]);

		for (end = first + 1; end < names->nr; end++)
			if (code_module(names->codes[end]) != module)
				break;
		ask_module(names, first, end, model);
	}
	return 0;
}

static const struct symbol_frames *look_up(const struct names *names, code_t code)
{
	const code_t *found = bsearch(&code, names->codes, names->nr, sizeof(code), compare_codes);

	return &names->frames[found - names->codes];
}

static void append(struct model_site *site, code_t code, const struct symbol_frames *known)
{
	if (!known->nr)
		site->stack[site->nr_frames++] = (struct model_frame){ .code = code };
	for (size_t i = 0; i < known->nr; i++)
		site->stack[site->nr_frames++] = (struct model_frame){
			.code = code,
			.function = known->frames[i].function,
			.file = known->frames[i].file,
			.line = known->frames[i].line,
			.inlined = known->frames[i].inlined,
		};
}

static int fill_stack(struct model_site *site, const struct names *names, struct stack_view stack)
{
	size_t room = 1;

	for (uint32_t i = 0; i < stack.nr_frames; i++)
		room += 1 + look_up(names, stack.frames[i])->nr;
	site->stack = calloc(room, sizeof(*site->stack));
	if (!site->stack)
		return -ENOMEM;
	for (uint32_t i = 0; i < stack.nr_frames; i++)
		append(site, stack.frames[i], look_up(names, stack.frames[i]));
	return 0;
}

int names_resolve(struct model *model)
{
	struct names names = { .nr = 0 };
	int error = names_init(&names, model);

	if (!error)
		error = ask(&names, model);
	for (size_t i = 0; i < model->nr_sites && !error; i++)
		error = fill_stack(&model->sites[i], &names, stack_of(model, &model->sites[i]));
	names_deinit(&names);
	return error;
}
