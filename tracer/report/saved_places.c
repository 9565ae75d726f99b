/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sites and the wrong frees of a saved report, with their stacks: the reverse of json.c. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "keys.h"
#include "reader.h"

/* 0: in none. */
static uint32_t find_module(const struct run_facts *facts, const char *path, uint64_t bias,
			    uint32_t guess)
{
	for (size_t i = 0; path && i < facts->nr_modules; i++) {
		/* Nearly always that of the frame before. */
		size_t at = (guess + i) % facts->nr_modules;

		if (facts->modules[at].bias == bias && !strcmp(facts->modules[at].path, path))
			return (uint32_t)at + 1;
	}
	return 0;
}

static void read_frame(struct reader *reader, const json_t *frame, uint32_t guess,
		       struct model_frame *out)
{
	const char *path = reader_string_or_null(reader, frame, "module");
	uint64_t pc = reader_address(reader, frame, "pc");
	uint64_t offset = path ? reader_address(reader, frame, "offset") : pc;
	uint32_t module = find_module(&reader->saved->facts, path, pc - offset, guess);

	if (path && !module)
		reader_fail(reader, "module", "no such module at pc - offset");
	if (pc >> CODE_ADDRESS_BITS)
		reader_fail(reader, "pc", "no code lies there");
	*out = (struct model_frame){
		.code = code_make(module, pc),
		.function = reader_string_or_null(reader, frame, "function"),
		.file = reader_string_or_null(reader, frame, "file"),
		.line = (uint32_t)reader_whole(reader, frame, "line", UINT32_MAX),
		.inlined = reader_truth(reader, frame, "inlined"),
	};
}

/* In `place`, which no conversion is in. */
static void read_stack(struct reader *reader, const json_t *object, const char *place,
		       struct model_call *out)
{
	const json_t *list = reader_array(reader, object, "stack");
	size_t nr = json_array_size(list);
	uint32_t guess = 0;

	if (reader->error)
		return;
	out->stack = calloc(nr + 1, sizeof(*out->stack));	/* the model's own */
	if (!out->stack)
		reader->error = -ENOMEM;
	for (size_t i = 0; i < nr && !reader->error; i++) {
		reader_go_to(reader, "%sstack[%zu].", place, i);
		read_frame(reader, json_array_get(list, i), guess, &out->stack[i]);
		if (code_module(out->stack[i].code))
			guess = code_module(out->stack[i].code) - 1;
	}
	out->nr_frames = reader->error ? 0 : nr;
}

static void read_quarters(struct reader *reader, const json_t *site, struct site_quarters *out)
{
	const json_t *list = reader_array(reader, site, "quarters");

	if (!json_array_size(list))
		return;
	if (json_array_size(list) != 4)
		reader_fail(reader, "quarters", "there are none, or four");
	for (size_t i = 0; i < 4 && !reader->error; i++) {
		out->end_ns[i] = reader_number(reader, json_array_get(list, i), "end_ns");
		out->bytes[i] = reader_number(reader, json_array_get(list, i), "bytes");
	}
}

static void read_counted(struct reader *reader, const json_t *site, struct model_site *out)
{
	out->counted = (struct model_counts){ out->allocs, out->frees, out->blocks };
	if (!reader->saved->facts.sample_bytes)
		return;
	reader_errors(reader, site, &out->errors);
	out->counted.allocs = reader_number(reader, site, "sampled_allocs");
	out->counted.live_blocks = reader_number(reader, site, "sampled_blocks");
	if (out->counted.allocs < out->counted.live_blocks)
		reader_fail(reader, "sampled_allocs", "some of its blocks were never allocated");
	out->counted.frees = out->counted.allocs - out->counted.live_blocks;
}

static void read_lifetimes(struct reader *reader, const json_t *site, struct model_site *out)
{
	const json_t *lifetime = reader_object(reader, site, "lifetime_ns");

	out->lifetime_min_ns = reader_number(reader, lifetime, "min");
	out->lifetime_avg_ns = reader_number(reader, lifetime, "avg");
	out->lifetime_max_ns = reader_number(reader, lifetime, "max");
}

static uint64_t read_address_or_null(struct reader *reader, const json_t *object, const char *key)
{
	return json_is_null(json_object_get(object, key)) ? 0 : reader_address(reader, object, key);
}

static void read_steps(struct reader *reader, const json_t *list, struct model_keeper *out)
{
	size_t nr = json_array_size(list);
	struct model_step *steps = reader_room(reader, nr, sizeof(*steps));

	for (size_t i = 0; i < nr && !reader->error; i++) {
		const json_t *step = json_array_get(list, i);
		bool has_row = !json_is_null(json_object_get(step, "site"));

		steps[i].address = reader_address(reader, step, "address");
		steps[i].bytes = reader_number(reader, step, "bytes");
		steps[i].slot = read_address_or_null(reader, step, "pointer");
		steps[i].row = has_row ? reader_number(reader, step, "site") : MODEL_NO_ROW;
		if (has_row && steps[i].row >= reader->nr_rows)
			reader_fail(reader, "site", "there is no such one");
	}
	out->steps = steps;
	out->nr_steps = reader->error ? 0 : nr;
}

static void read_variable(struct reader *reader, const json_t *variable, struct symbol_frame *out)
{
	if (json_is_null(variable))
		return;
	out->function = reader_string(reader, variable, "name");
	out->offset = (uint32_t)reader_whole(reader, variable, "offset", UINT32_MAX);
	out->file = reader_string_or_null(reader, variable, "file");
	out->line = (uint32_t)reader_whole(reader, variable, "line", UINT32_MAX);
}

/* key: of the address in it. */
static code_t read_place(struct reader *reader, const json_t *object, const char *key)
{
	const char *path = reader_string_or_null(reader, object, "module");
	uint64_t address = read_address_or_null(reader, object, key);
	uint64_t offset = path ? reader_address(reader, object, "offset") : address;
	uint32_t module = find_module(&reader->saved->facts, path, address - offset, 0);

	if (path && !module)
		reader_fail(reader, "module", "no such module at address - offset");
	if (address >> CODE_ADDRESS_BITS)
		reader_fail(reader, key, "nothing lies there");
	return code_make(module, address);
}

/* In `place`, which no conversion is in. */
static void read_keeper(struct reader *reader, const json_t *site, const char *place,
			struct model_keeper *out)
{
	const json_t *keeper = json_object_get(site, "keeper");

	if (json_is_null(keeper))
		return;
	reader_go_to(reader, "%skeeper.", place);
	if (!root_kind_find(reader_string(reader, keeper, "root"), &out->kind))
		reader_fail(reader, "root", "there is no such one");
	if (!json_is_null(json_object_get(keeper, "tid")))
		out->tid = (pid_t)reader_whole(reader, keeper, "tid", INT32_MAX);
	out->place = read_place(reader, keeper, "pointer");
	out->path = reader_string(reader, keeper, "mapping");
	read_variable(reader, json_object_get(keeper, "variable"), &out->variable);
	out->nr_blocks = reader_number(reader, keeper, "blocks");
	read_steps(reader, reader_array(reader, keeper, "chain"), out);
	if (!out->nr_steps || out->nr_steps > out->nr_blocks)
		reader_fail(reader, "chain", "some blocks are needed, and no more than there are");
}

static void read_site(struct reader *reader, const json_t *site, size_t i, struct model_site *out)
{
	struct model *model = &reader->saved->model;
	char place[READER_PLACE_BYTES / 2];

	reader_go_to(reader, "sites[%zu].", i);
	if (!site_kind_find(reader_string(reader, site, "kind"), &out->kind))
		reader_fail(reader, "kind", "there is no such one");
	out->indirect.bytes = reader_number(reader, site, "indirect_bytes");
	out->indirect.blocks = reader_number(reader, site, "indirect_blocks");
	out->growing = reader_truth(reader, site, "growing");
	out->call.function = reader_string(reader, site, "function");
	out->bytes = reader_number(reader, site, "bytes");
	out->blocks = reader_number(reader, site, "blocks");
	out->allocs = reader_number(reader, site, "allocs");
	out->frees = reader_number(reader, site, "frees");
	out->peak_bytes = reader_number(reader, site, "peak_bytes");
	out->first_ns = reader_number(reader, site, "first_ns");
	out->last_ns = reader_number(reader, site, "last_ns");
	out->oldest_ns = reader_number(reader, site, "oldest_live_ns");
	out->newest_ns = reader_number(reader, site, "newest_live_ns");
	out->oldest_address = reader_address(reader, site, "oldest_address");
	out->smallest_bytes = reader_number(reader, site, "smallest_bytes");
	out->largest_bytes = reader_number(reader, site, "largest_bytes");
	out->call.truncated = reader_truth(reader, site, "truncated");
	read_lifetimes(reader, site, out);
	read_quarters(reader, site, &out->quarters);
	read_counted(reader, site, out);
	snprintf(place, sizeof(place), "sites[%zu].", i);
	read_stack(reader, site, place, &out->call);
	read_keeper(reader, site, place, &out->keeper);
	model_count_growing(model, out);
}

/* What grows is a part of all that is live: the rest of it is a difference. */
static void check_sums(struct reader *reader)
{
	const struct model *model = &reader->saved->model;

	reader_go_to(reader, "heap.");
	if (model->growing_bytes > model->totals.live_bytes ||
	    model->growing_blocks > model->totals.live_blocks ||
	    model->growing_samples > model->counted.live_blocks)
		reader_fail(reader, "live_bytes", "that is less than what grows");
}

static void read_sites(struct reader *reader)
{
	const json_t *list = reader_array(reader, reader->saved->root, "sites");
	struct model *model = &reader->saved->model;
	size_t nr = json_array_size(list);

	if (reader->error)
		return;
	model->sites = calloc(nr + 1, sizeof(*model->sites));
	if (!model->sites)
		reader->error = -ENOMEM;
	reader->nr_rows = nr;
	for (size_t i = 0; i < nr && !reader->error; i++) {
		model->nr_sites = model->nr_named = i + 1;
		read_site(reader, json_array_get(list, i), i, &model->sites[i]);
	}
	check_sums(reader);
}

static unsigned read_digits(struct reader *reader, const json_t *group, unsigned char *bytes)
{
	const char *text = reader_string(reader, group, "begins_with");
	size_t nr = strlen(text);

	if (nr % 2 || nr > 2 * GROUP_PREVIEW || strspn(text, "0123456789abcdef") != nr) {
		reader_fail(reader, "begins_with", "two digits a byte are needed, and not many");
		return 0;
	}
	for (size_t i = 0; i < nr / 2; i++)
		bytes[i] = (unsigned char)strtoul((char[]){ text[2 * i], text[2 * i + 1], 0 },
						  NULL, 16);
	return (unsigned)nr / 2;
}

/* In `place`, which no conversion is in. */
static void read_type(struct reader *reader, const json_t *group, const char *place,
		      struct model_group *out)
{
	const json_t *type = json_object_get(group, "type");

	if (json_is_null(type))
		return;
	reader_go_to(reader, "%stype.", place);
	out->type_at = (unsigned)reader_whole(reader, type, "at", 4096);
	out->table = read_place(reader, type, "address");
	read_variable(reader, json_object_get(type, "variable"), &out->type);
}

static void read_group(struct reader *reader, const json_t *group, size_t i,
		       struct model_group *out)
{
	char place[READER_PLACE_BYTES];

	snprintf(place, sizeof(place), "before_attach[%zu].", i);
	reader_go_to(reader, "%s", place);
	if (!site_kind_find(reader_string(reader, group, "kind"), &out->kind))
		reader_fail(reader, "kind", "there is no such one");
	if (!content_find(reader_string(reader, group, "content"), &out->content))
		reader_fail(reader, "content", "there is no such one");
	out->size = reader_number(reader, group, "size");
	out->bytes = reader_number(reader, group, "bytes");
	out->blocks = reader_number(reader, group, "blocks");
	out->indirect.bytes = reader_number(reader, group, "indirect_bytes");
	out->indirect.blocks = reader_number(reader, group, "indirect_blocks");
	out->example = reader_address(reader, group, "example");
	out->preview_bytes = read_digits(reader, group, out->preview);
	read_keeper(reader, group, place, &out->keeper);
	read_type(reader, group, place, out);
}

static void read_groups(struct reader *reader)
{
	const json_t *list = reader_array(reader, reader->saved->root, "before_attach");
	struct model *model = &reader->saved->model;
	size_t nr = json_array_size(list);

	if (reader->error)
		return;
	model->groups = calloc(nr + 1, sizeof(*model->groups));
	if (!model->groups)
		reader->error = -ENOMEM;
	for (size_t i = 0; i < nr && !reader->error; i++) {
		model->nr_groups = model->nr_groups_named = i + 1;
		read_group(reader, json_array_get(list, i), i, &model->groups[i]);
	}
}

/* null: it is not known. */
static uint64_t read_call(struct reader *reader, const json_t *wrong, const char *key, size_t i,
			  struct model_call *out)
{
	const json_t *call = json_object_get(wrong, key);
	char place[READER_PLACE_BYTES / 2];

	if (json_is_null(call))
		return 0;
	snprintf(place, sizeof(place), "errors[%zu].%s.", i, key);
	reader_go_to(reader, "%s", place);
	out->function = reader_string(reader, call, "function");
	out->truncated = reader_truth(reader, call, "truncated");
	read_stack(reader, call, place, out);
	return reader_number(reader, call, "time_ns");
}

static void read_around(struct reader *reader, const json_t *wrong, struct block *out)
{
	const json_t *block = json_object_get(wrong, "block");

	if (json_is_null(block))
		return;
	out->address = reader_address(reader, block, "address");
	out->size = reader_number(reader, block, "size");
}

/* Only where the functions are the same can it be said whether the threads are. */
static void read_threads(struct reader *reader, const json_t *wrong, struct wrong_free *out)
{
	if (json_is_null(json_object_get(wrong, "same_thread")))
		out->first.free.function = 1;
	else
		out->first.free.tid = !reader_truth(reader, wrong, "same_thread");
}

static bool is_double(struct reader *reader, const json_t *wrong)
{
	const char *kind = reader_string(reader, wrong, "kind");

	if (strcmp(kind, "double-free") && strcmp(kind, "invalid-free"))
		reader_fail(reader, "kind", "double-free or invalid-free is needed");
	return !strcmp(kind, "double-free");
}

/* Those that are told of. */
static void check_calls(struct reader *reader, size_t i, const struct model_wrong *wrong)
{
	static const char needed[] = "it cannot be null here";

	reader_go_to(reader, "errors[%zu].", i);
	if (!wrong->free.function)
		reader_fail(reader, "free", needed);
	if (wrong->is_double && !wrong->first.function)
		reader_fail(reader, "first_free", needed);
	if (wrong->around.address && !wrong->alloc.function)
		reader_fail(reader, "allocation", needed);
}

static void read_wrong(struct reader *reader, const json_t *wrong, size_t i,
		       struct model_wrong *out, struct wrong_free *found)
{
	uint64_t born_ns;

	reader_go_to(reader, "errors[%zu].", i);
	out->found = found;
	out->is_double = is_double(reader, wrong);
	found->count = reader_number(reader, wrong, "count");
	found->free.address = reader_address(reader, wrong, "address");
	found->free.resizes = reader_truth(reader, wrong, "by_resize");
	found->first.free.resizes = reader_truth(reader, wrong, "first_by_resize");
	found->first.free.address = out->is_double ? found->free.address : 0;
	if (!json_is_null(json_object_get(wrong, "size"))) {
		found->first.site = 1;
		found->first.size = reader_number(reader, wrong, "size");
	}
	read_threads(reader, wrong, found);
	read_around(reader, wrong, &out->around);
	found->free.time_ns = read_call(reader, wrong, "free", i, &out->free);
	found->first.free.time_ns = read_call(reader, wrong, "first_free", i, &out->first);
	born_ns = read_call(reader, wrong, "allocation", i, &out->alloc);
	found->first.born_ns = out->around.time_ns = born_ns;
	check_calls(reader, i, out);
	*(out->is_double ? &reader->saved->model.nr_double_frees :
	  &reader->saved->model.nr_invalid_frees) += found->count;
}

static void read_error_summary(struct reader *reader)
{
	const json_t *summary = json_object_get(reader->saved->root, "error_summary");
	struct model *model = &reader->saved->model;

	reader_go_to(reader, "error_summary.");
	if (json_is_null(summary))
		return;
	model->judges_frees = reader_truth(reader, summary, "frees_judged");
	model->nr_wrongs_lost = reader_number(reader, summary, "lost");
}

static void read_wrongs(struct reader *reader)
{
	const json_t *list = reader_array(reader, reader->saved->root, "errors");
	struct model *model = &reader->saved->model;
	size_t nr = json_array_size(list);
	struct wrong_free *found = reader_room(reader, nr, sizeof(*found));

	if (reader->error)
		return;
	model->wrongs = calloc(nr + 1, sizeof(*model->wrongs));
	if (!model->wrongs)
		reader->error = -ENOMEM;
	for (size_t i = 0; i < nr && !reader->error; i++) {
		model->nr_wrongs = i + 1;
		read_wrong(reader, json_array_get(list, i), i, &model->wrongs[i], &found[i]);
	}
	read_error_summary(reader);
}

void reader_places(struct reader *reader)
{
	reader->place[0] = '\0';
	read_sites(reader);
	reader->place[0] = '\0';
	read_groups(reader);
	reader->place[0] = '\0';
	read_wrongs(reader);
}
