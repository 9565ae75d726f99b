/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The reverse of json.c, member by member.  The first thing that is wrong is kept as the error and
 * everything after it reads as nothing, so that only the end has to be checked.
 */
#include "saved.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "../probe/engine.h"
#include "keys.h"
#include "names.h"
#include "places.h"
#include "runtimes.h"

#define PLACE_BYTES 64

/* What is allocated while reading, to be freed together. */
struct saved_pool {
	struct saved_pool *next;
	max_align_t at[];
};

struct reader {
	struct saved *saved;
	char *wrong;			/* empty: nothing is */
	int error;
	char place[PLACE_BYTES];	/* "sites[3]." */
};

static void fail(struct reader *reader, const char *key, const char *needed)
{
	char shown[SAVED_WRONG_BYTES / 2];

	if (reader->error)
		return;
	reader->error = -EINVAL;
	snprintf(reader->wrong, SAVED_WRONG_BYTES, "%s%s: %s", reader->place,
		 inert(shown, sizeof(shown), key), needed);
}

static void *get_room(struct reader *reader, size_t nr, size_t bytes)
{
	struct saved_pool *pool = NULL;

	if (!reader->error && nr <= (SIZE_MAX - sizeof(*pool)) / bytes - 1)
		pool = calloc(1, sizeof(*pool) + (nr + 1) * bytes);
	if (!pool) {
		reader->error = reader->error ? reader->error : -ENOMEM;
		return NULL;
	}
	pool->next = reader->saved->pool;
	reader->saved->pool = pool;
	return pool->at;
}

__attribute__((format(printf, 2, 3)))
static void go_to(struct reader *reader, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(reader->place, sizeof(reader->place), format, arguments);
	va_end(arguments);
}

static uint64_t whole(struct reader *reader, const json_t *object, const char *key, uint64_t most)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
	    (uint64_t)json_integer_value(value) > most) {
		fail(reader, key, "a whole number is needed, and not so large a one");
		return 0;
	}
	return (uint64_t)json_integer_value(value);
}

static uint64_t number(struct reader *reader, const json_t *object, const char *key)
{
	return whole(reader, object, key, INT64_MAX);
}

static bool truth(struct reader *reader, const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_boolean(value))
		fail(reader, key, "true or false is needed");
	return json_is_true(value);
}

static const char *string_or_null(struct reader *reader, const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_string(value) && !json_is_null(value))
		fail(reader, key, "a string or null is needed");
	return json_string_value(value);
}

static const char *string(struct reader *reader, const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	if (!value)
		fail(reader, key, "a string is needed");
	return value ? value : "";
}

static bool parse_hex(const char *text, uint64_t *out)
{
	char *end;

	if (strncmp(text, "0x", 2) || !strchr("0123456789abcdef", text[2]) || !text[2])
		return false;
	errno = 0;
	*out = strtoull(text + 2, &end, 16);
	return !errno && !*end;
}

static uint64_t address(struct reader *reader, const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	uint64_t value = 0;

	if (!text || !parse_hex(text, &value))
		fail(reader, key, "an address is needed, as \"0x7f3a\"");
	return value;
}

static const json_t *array(struct reader *reader, const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_array(value))
		fail(reader, key, "an array is needed");
	return value;
}

static const json_t *object_in(struct reader *reader, const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_object(value))
		fail(reader, key, "an object is needed");
	return value;
}

/* --- target --- */

static void read_command(struct reader *reader, const json_t *target)
{
	const json_t *words = array(reader, target, "command");
	size_t nr = json_array_size(words);
	char **command = get_room(reader, nr, sizeof(*command));

	for (size_t i = 0; command && i < nr; i++) {
		command[i] = (char *)json_string_value(json_array_get(words, i));
		if (!command[i])
			fail(reader, "command", "strings are needed");
	}
	reader->saved->facts.command = command;
}

static void read_runtimes(struct reader *reader, const json_t *target)
{
	const json_t *keys = array(reader, target, "runtimes");
	const struct runtime *runtime;

	for (size_t i = 0; i < json_array_size(keys); i++) {
		const char *key = json_string_value(json_array_get(keys, i));

		if (!key)
			fail(reader, "runtimes", "strings are needed");
		for (size_t r = 0; key && (runtime = runtime_at(r)); r++)
			if (!strcmp(key, runtime->key))
				reader->saved->facts.runtimes |= runtime->bit;
	}
}

static void read_end(struct reader *reader, const json_t *target)
{
	struct run_facts *facts = &reader->saved->facts;

	if (!run_end_find(string(reader, target, "end"), &facts->end))
		fail(reader, "end", "detached, exited, killed or unknown is needed");
	if (facts->end == RUN_EXITED)
		facts->end_value = (int)whole(reader, object_in(reader, target, "exit"), "code",
					      INT32_MAX);
	else if (facts->end == RUN_KILLED)
		facts->end_value = (int)whole(reader, object_in(reader, target, "exit"), "signal",
					      INT32_MAX);
}

static void read_target(struct reader *reader)
{
	const json_t *target = object_in(reader, reader->saved->root, "target");
	struct run_facts *facts = &reader->saved->facts;

	go_to(reader, "target.");
	facts->pid = (pid_t)whole(reader, target, "pid", INT32_MAX);
	facts->name = string(reader, target, "name");
	facts->exe = string_or_null(reader, target, "exe");
	facts->launched = truth(reader, target, "launched");
	facts->execs = (unsigned)whole(reader, target, "execs", UINT32_MAX);
	read_command(reader, target);
	read_runtimes(reader, target);
	read_end(reader, target);
}

/* --- run --- */

static void read_start(struct reader *reader, const json_t *run)
{
	struct tm utc = { 0 };
	const char *end = strptime(string(reader, run, "started"), "%Y-%m-%dT%H:%M:%SZ", &utc);

	if (!end || *end)
		fail(reader, "started", "a time is needed, as \"2026-11-23T07:15:03Z\"");
	reader->saved->facts.started.tv_sec = timegm(&utc);
}

/* Times rise, and end with the trace: rates and sums are made of them. */
static void read_gap(struct reader *reader, const json_t *gap, uint64_t duration_ns,
		     struct run_gap *gaps)
{
	struct run_facts *facts = &reader->saved->facts;
	uint64_t before_ns = facts->nr_gaps ? gaps[facts->nr_gaps - 1].to_ns : 0;
	bool is_last = json_is_null(json_object_get(gap, "to_ns"));
	struct run_gap read = {
		.from_ns = number(reader, gap, "from_ns"),
		.to_ns = number(reader, gap, is_last ? "ended_ns" : "to_ns"),
	};

	if (!gap_reason_find(string(reader, gap, "reason"), &read.reason))
		fail(reader, "reason", "memleak or overhead is needed");
	if (read.from_ns < before_ns || read.to_ns < read.from_ns ||
	    (!is_last && read.to_ns > duration_ns))
		fail(reader, "from_ns", "times are out of order");
	if (is_last) {
		facts->ended_unwatched = true;
		facts->last_gap = read;
	} else {
		gaps[facts->nr_gaps++] = read;
	}
}

static void read_gaps(struct reader *reader, const json_t *run)
{
	const json_t *list = array(reader, run, "unwatched");
	size_t nr = json_array_size(list);
	struct run_gap *gaps = get_room(reader, nr, sizeof(*gaps));

	for (size_t i = 0; i < nr && !reader->error; i++) {
		go_to(reader, "run.unwatched[%zu].", i);
		read_gap(reader, json_array_get(list, i), reader->saved->facts.duration_ns, gaps);
	}
	go_to(reader, "run.");
	reader->saved->facts.gaps = gaps;
}

static void read_overhead(struct reader *reader, const json_t *run)
{
	const json_t *object = object_in(reader, run, "overhead");

	go_to(reader, "run.overhead.");
	reader->saved->facts.overhead = (struct run_overhead){
		.share_ppm = (uint32_t)whole(reader, object, "share_ppm", UINT32_MAX),
		.stopped_ns = number(reader, object, "stopped_ns"),
		.ran_ns = number(reader, object, "ran_ns"),
		.limit_ppm = (uint32_t)whole(reader, object, "limit_ppm", UINT32_MAX),
		.pauses = number(reader, object, "pauses"),
		.paused_ns = number(reader, object, "paused_ns"),
	};
	go_to(reader, "run.");
}

static void read_functions(struct reader *reader, const json_t *run)
{
	const json_t *list = array(reader, run, "functions");
	size_t nr = json_array_size(list);
	struct run_function *functions = get_room(reader, nr, sizeof(*functions));

	for (size_t i = 0; i < nr && !reader->error; i++) {
		const json_t *function = json_array_get(list, i);

		go_to(reader, "run.functions[%zu].", i);
		functions[i] = (struct run_function){
			.name = string(reader, function, "name"),
			.module = string_or_null(reader, function, "module"),
			.engine = string(reader, function, "engine"),
		};
	}
	reader->saved->facts.functions = functions;
	reader->saved->facts.nr_functions = reader->error ? 0 : nr;
}

static void read_counts_of_run(struct reader *reader, const json_t *run)
{
	struct run_facts *facts = &reader->saved->facts;
	struct heap_totals *totals = &reader->saved->model.totals;

	totals->events = number(reader, run, "events");
	totals->lost_events = number(reader, run, "lost_events");
	totals->truncated_stacks = number(reader, run, "truncated_stacks");
	facts->dropped = number(reader, run, "dropped");
	if (facts->dropped < totals->lost_events)
		fail(reader, "dropped", "lost_events are a part of it");
	else
		facts->dropped -= totals->lost_events;
}

static void read_run(struct reader *reader)
{
	const json_t *run = object_in(reader, reader->saved->root, "run");
	struct run_facts *facts = &reader->saved->facts;

	go_to(reader, "run.");
	facts->engine = string(reader, run, "engine");
	if (strcmp(facts->engine, ENGINE_NAME_JUMP) && strcmp(facts->engine, ENGINE_NAME_BREAK))
		fail(reader, "engine", "jump or break is needed");
	facts->sample_bytes = number(reader, run, "sample_bytes");
	facts->unsampled = number(reader, run, "unsampled_functions");
	facts->free_stacks = truth(reader, run, "free_stacks");
	facts->duration_ns = number(reader, run, "duration_ns");
	facts->attach_pause_ns = number(reader, run, "attach_pause_ns");
	facts->detach_pause_ns = number(reader, run, "detach_pause_ns");
	facts->stops = number(reader, run, "stops");
	facts->handled_ns = number(reader, run, "handled_ns");
	facts->incomplete = string_or_null(reader, run, "incomplete");
	read_start(reader, run);
	read_counts_of_run(reader, run);
	read_gaps(reader, run);
	read_overhead(reader, run);
	read_functions(reader, run);
}

/* --- heap, memory --- */

static void read_errors(struct reader *reader, const json_t *object, struct model_errors *errors)
{
	errors->bytes = number(reader, object, "bytes_error");
	errors->blocks = number(reader, object, "blocks_error");
	errors->allocs = number(reader, object, "allocs_error");
}

static void read_samples(struct reader *reader, const json_t *heap)
{
	struct model *model = &reader->saved->model;

	read_errors(reader, heap, &model->errors);
	model->errors.bytes_allocated = number(reader, heap, "bytes_allocated_error");
	model->growing_bytes_error = number(reader, heap, "growing_bytes_error");
	model->rest_bytes_error = number(reader, heap, "rest_bytes_error");
	model->unwatched_bytes_error = number(reader, heap, "unwatched_bytes_error");
	model->counted.unwatched_blocks = number(reader, heap, "sampled_unwatched_blocks");
	model->counted.live_blocks = number(reader, heap, "sampled_blocks");
	model->counted.allocs = number(reader, heap, "sampled_allocs");
}

static void read_heap(struct reader *reader)
{
	const json_t *heap = object_in(reader, reader->saved->root, "heap");
	struct heap_totals *totals = &reader->saved->model.totals;

	go_to(reader, "heap.");
	totals->allocs = number(reader, heap, "allocs");
	totals->frees = number(reader, heap, "frees");
	totals->bytes_allocated = number(reader, heap, "bytes_allocated");
	totals->live_blocks = number(reader, heap, "live_blocks");
	totals->live_bytes = number(reader, heap, "live_bytes");
	totals->peak_bytes = number(reader, heap, "peak_bytes");
	totals->unknown_frees = number(reader, heap, "unknown_frees");
	reader->saved->model.own_frees = number(reader, heap, "own_frees");
	totals->replaced_blocks = number(reader, heap, "missed_frees");
	totals->failed_allocs = number(reader, heap, "failed_allocs");
	totals->unwatched_blocks = number(reader, heap, "unwatched_blocks");
	totals->unwatched_bytes = number(reader, heap, "unwatched_bytes");
	reader->saved->model.counted = *totals;
	if (reader->saved->facts.sample_bytes)
		read_samples(reader, heap);
}

static void read_memory(struct reader *reader)
{
	const json_t *memory = object_in(reader, reader->saved->root, "memory");

	go_to(reader, "memory.");
	reader->saved->facts.rss_start_bytes = number(reader, memory, "rss_start_bytes");
	reader->saved->facts.rss_end_bytes = number(reader, memory, "rss_end_bytes");
}

/* --- modules --- */

static int digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *found = c ? strchr(digits, c) : NULL;

	return found ? (int)(found - digits) : -1;
}

static void read_build_id(struct reader *reader, const json_t *object, struct run_module *module)
{
	const char *text = string_or_null(reader, object, "build_id");
	size_t nr = text ? strlen(text) : 0;
	uint8_t *build_id = nr ? get_room(reader, nr / 2, 1) : NULL;

	if (nr % 2 || nr / 2 > BUILD_ID_MAX)
		fail(reader, "build_id", "it has no such length");
	for (size_t i = 0; i < nr / 2 && !reader->error; i++) {
		int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			fail(reader, "build_id", "hexadecimal digits are needed");
		build_id[i] = (uint8_t)(16 * high + low);
	}
	module->build_id = build_id;
	module->build_id_bytes = nr / 2;
}

static void read_modules(struct reader *reader)
{
	const json_t *list = array(reader, reader->saved->root, "modules");
	size_t nr = json_array_size(list);
	struct run_module *modules = get_room(reader, nr, sizeof(*modules));

	if (nr > CODE_MODULES_MAX)
		fail(reader, "modules", "there cannot be so many");
	for (size_t i = 0; i < nr && !reader->error; i++) {
		const json_t *module = json_array_get(list, i);

		go_to(reader, "modules[%zu].", i);
		modules[i].path = string(reader, module, "path");
		modules[i].bias = address(reader, module, "bias");
		modules[i].lacked_debug_info = truth(reader, module, "lacks_debug_info");
		read_build_id(reader, module, &modules[i]);
	}
	reader->saved->modules = modules;
	reader->saved->facts.modules = modules;
	reader->saved->facts.nr_modules = reader->error ? 0 : nr;
}

/* --- sites --- */

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
	const char *path = string_or_null(reader, frame, "module");
	uint64_t pc = address(reader, frame, "pc");
	uint64_t offset = path ? address(reader, frame, "offset") : pc;
	uint32_t module = find_module(&reader->saved->facts, path, pc - offset, guess);

	if (path && !module)
		fail(reader, "module", "no such module at pc - offset");
	if (pc >> CODE_ADDRESS_BITS)
		fail(reader, "pc", "no code lies there");
	*out = (struct model_frame){
		.code = code_make(module, pc),
		.function = string_or_null(reader, frame, "function"),
		.file = string_or_null(reader, frame, "file"),
		.line = (uint32_t)whole(reader, frame, "line", UINT32_MAX),
		.inlined = truth(reader, frame, "inlined"),
	};
}

/* In `place`, which no conversion is in. */
static void read_stack(struct reader *reader, const json_t *object, const char *place,
		       struct model_call *out)
{
	const json_t *list = array(reader, object, "stack");
	size_t nr = json_array_size(list);
	uint32_t guess = 0;

	if (reader->error)
		return;
	out->stack = calloc(nr + 1, sizeof(*out->stack));	/* the model's own */
	if (!out->stack)
		reader->error = -ENOMEM;
	for (size_t i = 0; i < nr && !reader->error; i++) {
		go_to(reader, "%sstack[%zu].", place, i);
		read_frame(reader, json_array_get(list, i), guess, &out->stack[i]);
		if (code_module(out->stack[i].code))
			guess = code_module(out->stack[i].code) - 1;
	}
	out->nr_frames = reader->error ? 0 : nr;
}

static void read_quarters(struct reader *reader, const json_t *site, struct site_quarters *out)
{
	const json_t *list = array(reader, site, "quarters");

	if (!json_array_size(list))
		return;
	if (json_array_size(list) != 4)
		fail(reader, "quarters", "there are none, or four");
	for (size_t i = 0; i < 4 && !reader->error; i++) {
		out->end_ns[i] = number(reader, json_array_get(list, i), "end_ns");
		out->bytes[i] = number(reader, json_array_get(list, i), "bytes");
	}
}

static void read_counted(struct reader *reader, const json_t *site, struct model_site *out)
{
	out->counted = (struct model_counts){ out->allocs, out->frees, out->blocks };
	if (!reader->saved->facts.sample_bytes)
		return;
	read_errors(reader, site, &out->errors);
	out->counted.allocs = number(reader, site, "sampled_allocs");
	out->counted.live_blocks = number(reader, site, "sampled_blocks");
	if (out->counted.allocs < out->counted.live_blocks)
		fail(reader, "sampled_allocs", "some of its blocks were never allocated");
	out->counted.frees = out->counted.allocs - out->counted.live_blocks;
}

static void read_lifetimes(struct reader *reader, const json_t *site, struct model_site *out)
{
	const json_t *lifetime = object_in(reader, site, "lifetime_ns");

	out->lifetime_min_ns = number(reader, lifetime, "min");
	out->lifetime_avg_ns = number(reader, lifetime, "avg");
	out->lifetime_max_ns = number(reader, lifetime, "max");
}

static void read_site(struct reader *reader, const json_t *site, size_t i, struct model_site *out)
{
	struct model *model = &reader->saved->model;
	char place[PLACE_BYTES / 2];

	go_to(reader, "sites[%zu].", i);
	out->growing = truth(reader, site, "growing");
	out->call.function = string(reader, site, "function");
	out->bytes = number(reader, site, "bytes");
	out->blocks = number(reader, site, "blocks");
	out->allocs = number(reader, site, "allocs");
	out->frees = number(reader, site, "frees");
	out->peak_bytes = number(reader, site, "peak_bytes");
	out->first_ns = number(reader, site, "first_ns");
	out->last_ns = number(reader, site, "last_ns");
	out->oldest_ns = number(reader, site, "oldest_live_ns");
	out->newest_ns = number(reader, site, "newest_live_ns");
	out->oldest_address = address(reader, site, "oldest_address");
	out->smallest_bytes = number(reader, site, "smallest_bytes");
	out->largest_bytes = number(reader, site, "largest_bytes");
	out->call.truncated = truth(reader, site, "truncated");
	read_lifetimes(reader, site, out);
	read_quarters(reader, site, &out->quarters);
	read_counted(reader, site, out);
	snprintf(place, sizeof(place), "%s", reader->place);
	read_stack(reader, site, place, &out->call);
	model_count_growing(model, out);
}

/* What grows is a part of all that is live: the rest of it is a difference. */
static void check_sums(struct reader *reader)
{
	const struct model *model = &reader->saved->model;

	go_to(reader, "heap.");
	if (model->growing_bytes > model->totals.live_bytes ||
	    model->growing_blocks > model->totals.live_blocks ||
	    model->growing_samples > model->counted.live_blocks)
		fail(reader, "live_bytes", "that is less than what grows");
}

static void read_sites(struct reader *reader)
{
	const json_t *list = array(reader, reader->saved->root, "sites");
	struct model *model = &reader->saved->model;
	size_t nr = json_array_size(list);

	if (reader->error)
		return;
	model->sites = calloc(nr + 1, sizeof(*model->sites));
	if (!model->sites)
		reader->error = -ENOMEM;
	for (size_t i = 0; i < nr && !reader->error; i++) {
		model->nr_sites = model->nr_named = i + 1;
		read_site(reader, json_array_get(list, i), i, &model->sites[i]);
	}
	check_sums(reader);
}

/* --- wrong frees --- */

/* null: it is not known. */
static uint64_t read_call(struct reader *reader, const json_t *wrong, const char *key, size_t i,
			  struct model_call *out)
{
	const json_t *call = json_object_get(wrong, key);
	char place[PLACE_BYTES / 2];

	if (json_is_null(call))
		return 0;
	snprintf(place, sizeof(place), "errors[%zu].%s.", i, key);
	go_to(reader, "%s", place);
	out->function = string(reader, call, "function");
	out->truncated = truth(reader, call, "truncated");
	read_stack(reader, call, place, out);
	return number(reader, call, "time_ns");
}

static void read_around(struct reader *reader, const json_t *wrong, struct block *out)
{
	const json_t *block = json_object_get(wrong, "block");

	if (json_is_null(block))
		return;
	out->address = address(reader, block, "address");
	out->size = number(reader, block, "size");
}

/* Only where the functions are the same can it be said whether the threads are. */
static void read_threads(struct reader *reader, const json_t *wrong, struct wrong_free *out)
{
	if (json_is_null(json_object_get(wrong, "same_thread")))
		out->first.free.function = 1;
	else
		out->first.free.tid = !truth(reader, wrong, "same_thread");
}

static bool is_double(struct reader *reader, const json_t *wrong)
{
	const char *kind = string(reader, wrong, "kind");

	if (strcmp(kind, "double-free") && strcmp(kind, "invalid-free"))
		fail(reader, "kind", "double-free or invalid-free is needed");
	return !strcmp(kind, "double-free");
}

static void read_wrong(struct reader *reader, const json_t *wrong, size_t i,
		       struct model_wrong *out, struct wrong_free *found)
{
	uint64_t born_ns;

	go_to(reader, "errors[%zu].", i);
	out->found = found;
	out->is_double = is_double(reader, wrong);
	found->count = number(reader, wrong, "count");
	found->free.address = address(reader, wrong, "address");
	found->free.resizes = truth(reader, wrong, "by_resize");
	found->first.free.resizes = truth(reader, wrong, "first_by_resize");
	found->first.free.address = out->is_double ? found->free.address : 0;
	if (!json_is_null(json_object_get(wrong, "size"))) {
		found->first.site = 1;
		found->first.size = number(reader, wrong, "size");
	}
	read_threads(reader, wrong, found);
	read_around(reader, wrong, &out->around);
	found->free.time_ns = read_call(reader, wrong, "free", i, &out->free);
	found->first.free.time_ns = read_call(reader, wrong, "first_free", i, &out->first);
	born_ns = read_call(reader, wrong, "allocation", i, &out->alloc);
	found->first.born_ns = out->around.time_ns = born_ns;
	*(out->is_double ? &reader->saved->model.nr_double_frees :
	  &reader->saved->model.nr_invalid_frees) += found->count;
}

static void read_error_summary(struct reader *reader)
{
	const json_t *summary = json_object_get(reader->saved->root, "error_summary");
	struct model *model = &reader->saved->model;

	model->judges_frees = !json_is_null(summary);
	go_to(reader, "error_summary.");
	if (model->judges_frees)
		model->nr_wrongs_lost = number(reader, summary, "lost");
}

static void read_wrongs(struct reader *reader)
{
	const json_t *list = array(reader, reader->saved->root, "errors");
	struct model *model = &reader->saved->model;
	size_t nr = json_array_size(list);
	struct wrong_free *found = get_room(reader, nr, sizeof(*found));

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

/* --- all of it --- */

static void read_verdict(struct reader *reader)
{
	struct model *model = &reader->saved->model;

	if (!verdict_find(string(reader, reader->saved->root, "verdict"), &model->verdict))
		fail(reader, "verdict", "there is no such one");
}

/* The order is not that of the file: what comes first bounds what comes after it. */
static void read_all(struct reader *reader)
{
	read_verdict(reader);
	read_target(reader);
	read_run(reader);
	read_heap(reader);
	read_memory(reader);
	reader->place[0] = '\0';
	read_modules(reader);
	reader->place[0] = '\0';
	read_sites(reader);
	reader->place[0] = '\0';
	read_wrongs(reader);
}

/* jansson has no words for want of memory. */
static int parse(const char *text, size_t bytes, size_t *used, char *wrong, json_t **out)
{
	char shown[SAVED_WRONG_BYTES / 2];
	json_error_t error = { .line = 0 };

	*out = json_loadb(text, bytes, JSON_DISABLE_EOF_CHECK | JSON_REJECT_DUPLICATES, &error);
	if (*out) {
		*used = (size_t)error.position;
		return 0;
	}
	if (!*error.text)
		return -ENOMEM;
	snprintf(wrong, SAVED_WRONG_BYTES, "no JSON, line %d: %s", error.line,
		 inert(shown, sizeof(shown), error.text));
	return -EINVAL;
}

static bool is_blank(const char *text, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if (!text[i] || !strchr(" \t\r\n", text[i]))
			return false;
	return true;
}

int saved_read(struct saved *saved, const char *text, size_t bytes, size_t *used, char *wrong)
{
	struct saved new = { .root = NULL };
	struct reader reader = { .saved = &new, .wrong = wrong };

	wrong[0] = '\0';
	if (is_blank(text, bytes))
		return -ENODATA;
	reader.error = parse(text, bytes, used, wrong, &new.root);
	if (reader.error)
		return reader.error;
	read_all(&reader);
	if (reader.error) {
		saved_release(&new);
		return reader.error;
	}
	*saved = new;
	saved->model.facts = &saved->facts;
	return 0;
}

void saved_release(struct saved *saved)
{
	struct saved_pool *next;

	model_release(&saved->model);
	for (struct saved_pool *pool = saved->pool; pool; pool = next) {
		next = pool->next;
		free(pool);
	}
	json_decref(saved->root);
	*saved = (struct saved){ .root = NULL };
}
