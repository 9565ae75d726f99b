/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The reverse of json.c, member by member. */
#include "saved.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "../base/inert.h"
#include "../probe/engine.h"
#include "keys.h"
#include "reader.h"
#include "runtimes.h"

/* --- target --- */

static void read_command(struct reader *reader, const json_t *target)
{
	const json_t *words = reader_array(reader, target, "command");
	size_t nr = json_array_size(words);
	char **command = reader_room(reader, nr, sizeof(*command));

	for (size_t i = 0; command && i < nr; i++) {
		command[i] = (char *)json_string_value(json_array_get(words, i));
		if (!command[i])
			reader_fail(reader, "command", "strings are needed");
	}
	reader->saved->facts.command = command;
}

static void read_runtimes(struct reader *reader, const json_t *target)
{
	const json_t *keys = reader_array(reader, target, "runtimes");
	const struct runtime *runtime;

	for (size_t i = 0; i < json_array_size(keys); i++) {
		const char *key = json_string_value(json_array_get(keys, i));

		if (!key)
			reader_fail(reader, "runtimes", "strings are needed");
		for (size_t r = 0; key && (runtime = runtime_at(r)); r++)
			if (!strcmp(key, runtime->key))
				reader->saved->facts.runtimes |= runtime->bit;
	}
}

static void read_end(struct reader *reader, const json_t *target)
{
	struct run_facts *facts = &reader->saved->facts;

	if (!run_end_find(reader_string(reader, target, "end"), &facts->end))
		reader_fail(reader, "end", "detached, exited, killed or unknown is needed");
	if (facts->end == RUN_EXITED)
		facts->end_value = (int)reader_whole(reader, reader_object(reader, target, "exit"), "code",
					      INT32_MAX);
	else if (facts->end == RUN_KILLED)
		facts->end_value = (int)reader_whole(reader, reader_object(reader, target, "exit"), "signal",
					      INT32_MAX);
}

static void read_target(struct reader *reader)
{
	const json_t *target = reader_object(reader, reader->saved->root, "target");
	struct run_facts *facts = &reader->saved->facts;

	reader_go_to(reader, "target.");
	facts->pid = (pid_t)reader_whole(reader, target, "pid", INT32_MAX);
	facts->name = reader_string(reader, target, "name");
	facts->exe = reader_string_or_null(reader, target, "exe");
	facts->launched = reader_truth(reader, target, "launched");
	facts->execs = (unsigned)reader_whole(reader, target, "execs", UINT32_MAX);
	read_command(reader, target);
	read_runtimes(reader, target);
	read_end(reader, target);
}

/* --- run --- */

static void read_start(struct reader *reader, const json_t *run)
{
	struct tm utc = { 0 };
	const char *end = strptime(reader_string(reader, run, "started"), "%Y-%m-%dT%H:%M:%SZ", &utc);

	if (!end || *end)
		reader_fail(reader, "started", "a time is needed, as \"2026-11-23T07:15:03Z\"");
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
		.from_ns = reader_number(reader, gap, "from_ns"),
		.to_ns = reader_number(reader, gap, is_last ? "ended_ns" : "to_ns"),
	};

	if (!gap_reason_find(reader_string(reader, gap, "reason"), &read.reason))
		reader_fail(reader, "reason", "memleak or overhead is needed");
	if (read.from_ns < before_ns || read.to_ns < read.from_ns ||
	    (!is_last && read.to_ns > duration_ns))
		reader_fail(reader, "from_ns", "times are out of order");
	if (is_last) {
		facts->ended_unwatched = true;
		facts->last_gap = read;
	} else {
		gaps[facts->nr_gaps++] = read;
	}
}

static void read_gaps(struct reader *reader, const json_t *run)
{
	const json_t *list = reader_array(reader, run, "unwatched");
	size_t nr = json_array_size(list);
	struct run_gap *gaps = reader_room(reader, nr, sizeof(*gaps));

	for (size_t i = 0; i < nr && !reader->error; i++) {
		reader_go_to(reader, "run.unwatched[%zu].", i);
		read_gap(reader, json_array_get(list, i), reader->saved->facts.duration_ns, gaps);
	}
	reader_go_to(reader, "run.");
	reader->saved->facts.gaps = gaps;
}

static void read_overhead(struct reader *reader, const json_t *run)
{
	const json_t *object = reader_object(reader, run, "overhead");

	reader_go_to(reader, "run.overhead.");
	reader->saved->facts.overhead = (struct run_overhead){
		.share_ppm = (uint32_t)reader_whole(reader, object, "share_ppm", UINT32_MAX),
		.stopped_ns = reader_number(reader, object, "stopped_ns"),
		.ran_ns = reader_number(reader, object, "ran_ns"),
		.limit_ppm = (uint32_t)reader_whole(reader, object, "limit_ppm", UINT32_MAX),
		.pauses = reader_number(reader, object, "pauses"),
		.paused_ns = reader_number(reader, object, "paused_ns"),
	};
	reader_go_to(reader, "run.");
}

static void read_functions(struct reader *reader, const json_t *run)
{
	const json_t *list = reader_array(reader, run, "functions");
	size_t nr = json_array_size(list);
	struct run_function *functions = reader_room(reader, nr, sizeof(*functions));

	for (size_t i = 0; i < nr && !reader->error; i++) {
		const json_t *function = json_array_get(list, i);

		reader_go_to(reader, "run.functions[%zu].", i);
		functions[i] = (struct run_function){
			.name = reader_string(reader, function, "name"),
			.module = reader_string_or_null(reader, function, "module"),
			.engine = reader_string(reader, function, "engine"),
		};
	}
	reader->saved->facts.functions = functions;
	reader->saved->facts.nr_functions = reader->error ? 0 : nr;
}

static void read_counts_of_run(struct reader *reader, const json_t *run)
{
	struct run_facts *facts = &reader->saved->facts;
	struct heap_totals *totals = &reader->saved->model.totals;

	totals->events = reader_number(reader, run, "events");
	totals->lost_events = reader_number(reader, run, "lost_events");
	totals->truncated_stacks = reader_number(reader, run, "truncated_stacks");
	facts->dropped = reader_number(reader, run, "dropped");
	if (facts->dropped < totals->lost_events)
		reader_fail(reader, "dropped", "lost_events are a part of it");
	else
		facts->dropped -= totals->lost_events;
}

static void read_run(struct reader *reader)
{
	const json_t *run = reader_object(reader, reader->saved->root, "run");
	struct run_facts *facts = &reader->saved->facts;

	reader_go_to(reader, "run.");
	facts->engine = reader_string(reader, run, "engine");
	if (strcmp(facts->engine, ENGINE_NAME_JUMP) && strcmp(facts->engine, ENGINE_NAME_BREAK))
		reader_fail(reader, "engine", "jump or break is needed");
	facts->sample_bytes = reader_number(reader, run, "sample_bytes");
	facts->unsampled = reader_number(reader, run, "unsampled_functions");
	facts->free_stacks = reader_truth(reader, run, "free_stacks");
	facts->duration_ns = reader_number(reader, run, "duration_ns");
	facts->attach_pause_ns = reader_number(reader, run, "attach_pause_ns");
	facts->detach_pause_ns = reader_number(reader, run, "detach_pause_ns");
	facts->stops = reader_number(reader, run, "stops");
	facts->handled_ns = reader_number(reader, run, "handled_ns");
	facts->incomplete = reader_string_or_null(reader, run, "incomplete");
	read_start(reader, run);
	read_counts_of_run(reader, run);
	read_gaps(reader, run);
	read_overhead(reader, run);
	read_functions(reader, run);
}

/* --- heap, memory --- */

static void read_samples(struct reader *reader, const json_t *heap)
{
	struct model *model = &reader->saved->model;

	reader_errors(reader, heap, &model->errors);
	model->errors.bytes_allocated = reader_number(reader, heap, "bytes_allocated_error");
	model->growing_bytes_error = reader_number(reader, heap, "growing_bytes_error");
	model->rest_bytes_error = reader_number(reader, heap, "rest_bytes_error");
	model->unwatched_bytes_error = reader_number(reader, heap, "unwatched_bytes_error");
	model->counted.unwatched_blocks = reader_number(reader, heap, "sampled_unwatched_blocks");
	model->counted.live_blocks = reader_number(reader, heap, "sampled_blocks");
	model->counted.allocs = reader_number(reader, heap, "sampled_allocs");
}

static void read_heap(struct reader *reader)
{
	const json_t *heap = reader_object(reader, reader->saved->root, "heap");
	struct heap_totals *totals = &reader->saved->model.totals;

	reader_go_to(reader, "heap.");
	totals->allocs = reader_number(reader, heap, "allocs");
	totals->frees = reader_number(reader, heap, "frees");
	totals->bytes_allocated = reader_number(reader, heap, "bytes_allocated");
	totals->live_blocks = reader_number(reader, heap, "live_blocks");
	totals->live_bytes = reader_number(reader, heap, "live_bytes");
	totals->peak_bytes = reader_number(reader, heap, "peak_bytes");
	totals->unknown_frees = reader_number(reader, heap, "unknown_frees");
	reader->saved->model.own_frees = reader_number(reader, heap, "own_frees");
	totals->replaced_blocks = reader_number(reader, heap, "missed_frees");
	totals->failed_allocs = reader_number(reader, heap, "failed_allocs");
	totals->unwatched_blocks = reader_number(reader, heap, "unwatched_blocks");
	totals->unwatched_bytes = reader_number(reader, heap, "unwatched_bytes");
	reader->saved->model.counted = *totals;
	if (reader->saved->facts.sample_bytes)
		read_samples(reader, heap);
}

static void read_memory(struct reader *reader)
{
	const json_t *memory = reader_object(reader, reader->saved->root, "memory");

	reader_go_to(reader, "memory.");
	reader->saved->facts.rss_start_bytes = reader_number(reader, memory, "rss_start_bytes");
	reader->saved->facts.rss_end_bytes = reader_number(reader, memory, "rss_end_bytes");
}

/* --- leaks --- */

static struct model_sum read_sum(struct reader *reader, const json_t *object)
{
	return (struct model_sum){
		.bytes = reader_number(reader, object, "bytes"),
		.blocks = reader_number(reader, object, "blocks"),
	};
}

static void read_sums(struct reader *reader, const json_t *object, struct model_sum *sums)
{
	for (unsigned kind = 0; kind < SITE_KINDS; kind++)
		sums[kind] = read_sum(reader, reader_object(reader, object, site_kind_key(kind)));
}

static void read_leaks(struct reader *reader)
{
	const json_t *leaks = json_object_get(reader->saved->root, "leak_summary");
	struct model *model = &reader->saved->model;

	reader_go_to(reader, "leak_summary.");
	if (json_is_null(leaks))
		return;
	read_sums(reader, reader_object(reader, leaks, "seen"), model->seen);
	read_sums(reader, reader_object(reader, leaks, "before_attach"), model->before);
	model->indirect_of_before =
		read_sum(reader, reader_object(reader, leaks, "indirect_of_before"));
}

static void read_arena(struct reader *reader, const json_t *arena, struct arena *out)
{
	out->address = reader_address(reader, arena, "address");
	out->busy = reader_truth(reader, arena, "busy");
	out->system_bytes = reader_number(reader, arena, "system_bytes");
	out->used_blocks = reader_number(reader, arena, "used_blocks");
	out->used_bytes = reader_number(reader, arena, "used_bytes");
	out->cached_blocks = reader_number(reader, arena, "cached_blocks");
	out->cached_bytes = reader_number(reader, arena, "cached_bytes");
	out->free_blocks = reader_number(reader, arena, "free_blocks");
	out->free_bytes = reader_number(reader, arena, "free_bytes");
	out->top_bytes = reader_number(reader, arena, "top_bytes");
}

static void read_heap_walked(struct reader *reader, const json_t *heap)
{
	const json_t *list;
	struct arena *arenas;
	size_t nr;

	reader_go_to(reader, "scan.heap.");
	list = reader_array(reader, heap, "arenas");
	nr = json_array_size(list);
	arenas = reader_room(reader, nr, sizeof(*arenas));
	if (!list || reader->error)
		return;
	for (size_t i = 0; i < nr && !reader->error; i++) {
		reader_go_to(reader, "scan.heap.arenas[%zu].", i);
		read_arena(reader, json_array_get(list, i), &arenas[i]);
	}
	reader_go_to(reader, "scan.heap.");
	reader->saved->model.mapped = read_sum(reader, reader_object(reader, heap, "mapped"));
	reader->saved->model.arenas = arenas;
	reader->saved->model.nr_arenas = nr;
}

static void read_scan(struct reader *reader)
{
	const json_t *scan = reader_object(reader, reader->saved->root, "scan");

	reader_go_to(reader, "scan.");
	reader->saved->facts.scan = (struct run_scan){
		.is_all = reader_truth(reader, scan, "only"),
		.is_wanted = reader_truth(reader, scan, "wanted"),
		.done = reader_truth(reader, scan, "done"),
		.why_not = reader_string_or_null(reader, scan, "why_not"),
		.pause_ns = reader_number(reader, scan, "pause_ns"),
		.duration_ns = reader_number(reader, scan, "duration_ns"),
		.bytes = reader_number(reader, scan, "copied_bytes"),
		.scanned_bytes = reader_number(reader, scan, "scanned_bytes"),
		.threads = reader_number(reader, scan, "threads"),
		.roots = reader_number(reader, scan, "roots"),
		.arenas = reader_number(reader, scan, "arenas"),
		.walked = reader_truth(reader, scan, "heap_walked"),
		.walk_stopped = reader_string_or_null(reader, scan, "walk_stopped"),
		.unjudged_blocks = reader_number(reader, scan, "unjudged_blocks"),
	};
	if (reader->saved->facts.scan.is_wanted && !reader->saved->facts.scan.done &&
	    !reader->saved->facts.scan.why_not)
		reader_fail(reader, "why_not", "a reason is needed where it is not done");
	if (!json_is_null(json_object_get(scan, "heap")))
		read_heap_walked(reader, reader_object(reader, scan, "heap"));
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
	const char *text = reader_string_or_null(reader, object, "build_id");
	size_t nr = text ? strlen(text) : 0;
	uint8_t *build_id = nr ? reader_room(reader, nr / 2, 1) : NULL;

	if (nr % 2 || nr / 2 > BUILD_ID_MAX)
		reader_fail(reader, "build_id", "it has no such length");
	for (size_t i = 0; i < nr / 2 && !reader->error; i++) {
		int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			reader_fail(reader, "build_id", "hexadecimal digits are needed");
		build_id[i] = (uint8_t)(16 * high + low);
	}
	module->build_id = build_id;
	module->build_id_bytes = nr / 2;
}

static void read_modules(struct reader *reader)
{
	const json_t *list = reader_array(reader, reader->saved->root, "modules");
	size_t nr = json_array_size(list);
	struct run_module *modules = reader_room(reader, nr, sizeof(*modules));

	if (nr > CODE_MODULES_MAX)
		reader_fail(reader, "modules", "there cannot be so many");
	for (size_t i = 0; i < nr && !reader->error; i++) {
		const json_t *module = json_array_get(list, i);

		reader_go_to(reader, "modules[%zu].", i);
		modules[i].path = reader_string(reader, module, "path");
		modules[i].bias = reader_address(reader, module, "bias");
		modules[i].lacked_debug_info = reader_truth(reader, module, "lacks_debug_info");
		read_build_id(reader, module, &modules[i]);
	}
	reader->saved->modules = modules;
	reader->saved->facts.modules = modules;
	reader->saved->facts.nr_modules = reader->error ? 0 : nr;
}

/* --- all of it --- */

static void read_verdict(struct reader *reader)
{
	struct model *model = &reader->saved->model;

	if (!verdict_find(reader_string(reader, reader->saved->root, "verdict"), &model->verdict))
		reader_fail(reader, "verdict", "there is no such one");
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
	read_scan(reader);
	reader->place[0] = '\0';
	read_leaks(reader);
	reader->place[0] = '\0';
	read_modules(reader);
	reader_places(reader);
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
	model_release(&saved->model);
	reader_release_rooms(saved);
	json_decref(saved->root);
	*saved = (struct saved){ .root = NULL };
}
