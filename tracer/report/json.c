/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JSON, the stable interface; the man page lists the fields.  The document may have hundreds
 * of thousands of frames, so only one site at a time exists as a tree: the outermost braces
 * and the lists' brackets are written by hand, all else by jansson.
 */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "errors.h"
#include "formats.h"
#include "places.h"
#include "keys.h"
#include "runtimes.h"
#include "../base/utf8.h"

#define BUILD_ID_TEXT (2 * BUILD_ID_MAX + 1)

struct writer {
	FILE *out;
	bool one_line;
	int indent;		/* levels around the value being written */
	bool failed;		/* no memory */
};

/* A string of any bytes; NULL becomes null. */
static json_t *text(const char *string)
{
	json_t *value;
	char *valid;

	if (!string)
		return json_null();
	value = json_string(string);
	if (value)
		return value;
	valid = utf8_valid(string);
	value = valid ? json_string(valid) : NULL;
	free(valid);
	return value;
}

static json_t *whole(uint64_t number)
{
	return json_integer(number < INT64_MAX ? (json_int_t)number : INT64_MAX);
}

static json_t *hex(uint64_t number)
{
	return json_sprintf("0x%" PRIx64, number);
}

static json_t *runtimes(const struct run_facts *facts)
{
	json_t *list = json_array();
	const struct runtime *runtime;

	for (size_t i = 0; (runtime = runtime_at(i)); i++)
		if (facts->runtimes & runtime->bit)
			json_array_append_new(list, json_string(runtime->key));
	return list;
}

static json_t *target(const struct run_facts *facts)
{
	json_t *command = json_array(), *end = json_null();

	for (char *const *word = facts->command; word && *word; word++)
		json_array_append_new(command, text(*word));
	if (facts->end == RUN_EXITED)
		end = json_pack("{s:i}", "code", facts->end_value);
	else if (facts->end == RUN_KILLED)
		end = json_pack("{s:i}", "signal", facts->end_value);
	return json_pack("{s:i, s:o, s:o, s:o, s:b, s:o, s:i, s:s, s:o}",
			 "pid", (int)facts->pid, "name", text(facts->name), "command", command,
			 "exe", text(facts->exe), "launched", facts->launched,
			 "runtimes", runtimes(facts), "execs", (int)facts->execs,
			 "end", run_end_key(facts->end), "exit", end);
}

static json_t *functions(const struct run_facts *facts)
{
	json_t *list = json_array();

	for (size_t i = 0; i < facts->nr_functions; i++) {
		const struct run_function *function = &facts->functions[i];

		if (function->engine)
			json_array_append_new(list, json_pack("{s:o, s:o, s:o}",
				"name", text(function->name), "module", text(function->module),
				"engine", text(function->engine)));
	}
	return list;
}

static json_t *started(const struct run_facts *facts)
{
	char buffer[32] = "";
	struct tm utc;

	if (gmtime_r(&facts->started.tv_sec, &utc))
		strftime(buffer, sizeof(buffer), "%Y-%m-%dT%H:%M:%SZ", &utc);
	return json_string(buffer);
}

static json_t *gap(const struct run_gap *gap)
{
	return json_pack("{s:o, s:o, s:s}", "from_ns", whole(gap->from_ns),
			 "to_ns", whole(gap->to_ns), "reason", gap_reason_key(gap->reason));
}

/* In which the trace ended. */
static json_t *last_gap(const struct run_gap *gap)
{
	return json_pack("{s:o, s:n, s:o, s:s}", "from_ns", whole(gap->from_ns), "to_ns",
			 "ended_ns", whole(gap->to_ns), "reason", gap_reason_key(gap->reason));
}

static json_t *gaps(const struct run_facts *facts)
{
	json_t *list = json_array();

	for (size_t i = 0; i < facts->nr_gaps; i++)
		json_array_append_new(list, gap(&facts->gaps[i]));
	if (facts->ended_unwatched)
		json_array_append_new(list, last_gap(&facts->last_gap));
	return list;
}

static json_t *overhead(const struct run_overhead *overhead)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}",
			 "share_ppm", whole(overhead->share_ppm),
			 "stopped_ns", whole(overhead->stopped_ns),
			 "ran_ns", whole(overhead->ran_ns),
			 "limit_ppm", whole(overhead->limit_ppm),
			 "pauses", whole(overhead->pauses),
			 "paused_ns", whole(overhead->paused_ns));
}

static json_t *run(const struct model *model)
{
	const struct run_facts *facts = model->facts;

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b,"
			 " s:o, s:o, s:b, s:o}",
			 "engine", text(facts->engine),
			 "sample_bytes", whole(facts->sample_bytes), "started", started(facts),
			 "duration_ns", whole(facts->duration_ns),
			 "unwatched", gaps(facts),
			 "attach_pause_ns", whole(facts->attach_pause_ns),
			 "detach_pause_ns", whole(facts->detach_pause_ns),
			 "overhead", overhead(&facts->overhead),
			 "stops", whole(facts->stops), "handled_ns", whole(facts->handled_ns),
			 "events", whole(model->totals.events),
			 "dropped", whole(facts->dropped + model->totals.lost_events),
			 "lost_events", whole(model->totals.lost_events),
			 "incomplete", text(facts->incomplete),
			 "truncated", model->totals.truncated_stacks > 0,
			 "truncated_stacks", whole(model->totals.truncated_stacks),
			 "unsampled_functions", whole(facts->unsampled),
			 "free_stacks", facts->free_stacks,
			 "functions", functions(facts));
}

/* Members that are there under sampling only. */
static json_t *with_samples(json_t *object, const struct model_errors *errors,
			    uint64_t sampled_blocks, uint64_t sampled_allocs)
{
	json_object_set_new(object, "sampled_blocks", whole(sampled_blocks));
	json_object_set_new(object, "sampled_allocs", whole(sampled_allocs));
	json_object_set_new(object, "bytes_error", whole(errors->bytes));
	json_object_set_new(object, "blocks_error", whole(errors->blocks));
	json_object_set_new(object, "allocs_error", whole(errors->allocs));
	return object;
}

static json_t *heap_samples(json_t *object, const struct model *model)
{
	if (!model->facts->sample_bytes || !object)
		return object;
	json_object_set_new(object, "bytes_allocated_error", whole(model->errors.bytes_allocated));
	json_object_set_new(object, "growing_bytes_error", whole(model->growing_bytes_error));
	json_object_set_new(object, "rest_bytes_error", whole(model->rest_bytes_error));
	json_object_set_new(object, "sampled_unwatched_blocks",
			    whole(model->counted.unwatched_blocks));
	json_object_set_new(object, "unwatched_bytes_error", whole(model->unwatched_bytes_error));
	return with_samples(object, &model->errors, model->counted.live_blocks,
			    model->counted.allocs);
}

static json_t *heap(const struct model *model)
{
	const struct heap_totals *totals = &model->totals;

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
			 "allocs", whole(totals->allocs), "frees", whole(totals->frees),
			 "bytes_allocated", whole(totals->bytes_allocated),
			 "live_blocks", whole(totals->live_blocks),
			 "live_bytes", whole(totals->live_bytes),
			 "peak_bytes", whole(totals->peak_bytes),
			 "unknown_frees", whole(totals->unknown_frees),
			 "own_frees", whole(model->own_frees),
			 "missed_frees", whole(totals->replaced_blocks),
			 "failed_allocs", whole(totals->failed_allocs),
			 "unwatched_blocks", whole(totals->unwatched_blocks),
			 "unwatched_bytes", whole(totals->unwatched_bytes));
}

static json_t *memory(const struct run_facts *facts)
{
	return json_pack("{s:o, s:o}", "rss_start_bytes", whole(facts->rss_start_bytes),
			 "rss_end_bytes", whole(facts->rss_end_bytes));
}

static json_t *build_id(const struct run_module *module)
{
	char buffer[BUILD_ID_TEXT];

	if (!module->build_id_bytes)
		return json_null();
	return json_string(place_build_id(buffer, sizeof(buffer), module));
}

static json_t *modules(const struct model *model)
{
	const struct run_facts *facts = model->facts;
	json_t *list = json_array();

	for (size_t i = 0; i < facts->nr_modules; i++)
		json_array_append_new(list, json_pack("{s:o, s:o, s:o, s:b}",
			"path", text(facts->modules[i].path),
			"build_id", build_id(&facts->modules[i]),
			"bias", hex(facts->modules[i].bias), "lacks_debug_info",
			place_lacks_debug_info(model, &facts->modules[i])));
	return list;
}

static json_t *frame(const struct run_facts *facts, const struct model_frame *frame)
{
	const struct run_module *module = place_module(facts, frame->code);

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:b}",
			 "pc", hex(code_pc(frame->code)), "function", text(frame->function),
			 "file", text(frame->file), "line", whole(frame->line),
			 "module", text(module ? module->path : NULL),
			 "offset", module ? hex(place_offset(module, frame->code)) : json_null(),
			 "inlined", frame->inlined);
}

static json_t *stack(const struct run_facts *facts, const struct model_call *call)
{
	json_t *list = json_array();

	for (size_t i = 0; i < call->nr_frames; i++)
		json_array_append_new(list, frame(facts, &call->stack[i]));
	return list;
}

static json_t *lifetime(const struct model_site *site)
{
	return json_pack("{s:o, s:o, s:o}", "min", whole(site->lifetime_min_ns),
			 "avg", whole(site->lifetime_avg_ns), "max", whole(site->lifetime_max_ns));
}

/* By which growth was judged. */
static json_t *quarters(const struct model_site *site)
{
	json_t *list = json_array();

	for (size_t i = 0; i < 4 && site->quarters.end_ns[3]; i++)
		json_array_append_new(list, json_pack("{s:o, s:o}",
			"end_ns", whole(site->quarters.end_ns[i]),
			"bytes", whole(site->quarters.bytes[i])));
	return list;
}

static json_t *site_samples(json_t *object, const struct model *model,
			    const struct model_site *site)
{
	if (!model->facts->sample_bytes || !object)
		return object;
	return with_samples(object, &site->errors, site->counted.live_blocks, site->counted.allocs);
}

static json_t *hex_or_null(uint64_t number)
{
	return number ? hex(number) : json_null();
}

static json_t *chain(const struct model_keeper *keeper)
{
	json_t *list = json_array();

	for (size_t i = 0; i < keeper->nr_steps; i++) {
		const struct model_step *step = &keeper->steps[i];

		json_array_append_new(list, json_pack("{s:o, s:o, s:o, s:o}",
			"address", hex(step->address), "bytes", whole(step->bytes),
			"pointer", hex_or_null(step->slot),
			"site", step->row == MODEL_NO_ROW ? json_null() : whole(step->row)));
	}
	return list;
}

static json_t *variable(const struct symbol_frame *variable)
{
	if (!variable->function)
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:o}", "name", text(variable->function),
			 "offset", whole(variable->offset), "file", text(variable->file),
			 "line", whole(variable->line));
}

/* null: none is known. */
static json_t *keeper(const struct run_facts *facts, const struct model_keeper *keeper)
{
	const struct run_module *module = place_module(facts, keeper->place);

	if (!keeper->nr_blocks)
		return json_null();
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
			 "root", root_kind_key(keeper->kind),
			 "tid", keeper->tid ? whole((uint64_t)keeper->tid) : json_null(),
			 "pointer", hex_or_null(code_pc(keeper->place)),
			 "mapping", text(keeper->path),
			 "module", text(module ? module->path : NULL),
			 "offset", module ? hex(place_offset(module, keeper->place)) : json_null(),
			 "variable", variable(&keeper->variable),
			 "blocks", whole(keeper->nr_blocks), "chain", chain(keeper));
}

/* Two digits a byte. */
static json_t *digits(const unsigned char *bytes, unsigned nr)
{
	char text[2 * GROUP_PREVIEW + 1] = "";

	for (unsigned i = 0; i < nr; i++)
		sprintf(text + 2 * i, "%02x", bytes[i]);
	return json_string(text);
}

static json_t *type(const struct run_facts *facts, const struct model_group *group)
{
	const struct run_module *module = place_module(facts, group->table);

	if (!group->table)
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "at", whole(group->type_at),
			 "address", hex(code_pc(group->table)),
			 "module", text(module ? module->path : NULL),
			 "offset", module ? hex(place_offset(module, group->table)) : json_null(),
			 "variable", variable(&group->type));
}

static json_t *group(const struct model *model, const struct model_group *group)
{
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
			 "kind", site_kind_key(group->kind), "content", content_key(group->content),
			 "type", type(model->facts, group), "size", whole(group->size),
			 "bytes", whole(group->bytes), "blocks", whole(group->blocks),
			 "indirect_bytes", whole(group->indirect.bytes),
			 "indirect_blocks", whole(group->indirect.blocks),
			 "example", hex(group->example),
			 "begins_with", digits(group->preview, group->preview_bytes),
			 "keeper", keeper(model->facts, &group->keeper));
}

static json_t *site(const struct model *model, const struct model_site *site)
{
	return json_pack("{s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o,"
			 " s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o}",
			 "kind", site_kind_key(site->kind), "growing", site->growing, "bytes", whole(site->bytes),
			 "blocks", whole(site->blocks),
			 "indirect_bytes", whole(site->indirect.bytes),
			 "indirect_blocks", whole(site->indirect.blocks),
			 "function", text(site->call.function), "allocs", whole(site->allocs),
			 "frees", whole(site->frees), "peak_bytes", whole(site->peak_bytes),
			 "first_ns", whole(site->first_ns),
			 "last_ns", whole(site->last_ns),
			 "oldest_live_ns", whole(site->oldest_ns),
			 "newest_live_ns", whole(site->newest_ns),
			 "oldest_address", hex(site->oldest_address),
			 "smallest_bytes", whole(site->smallest_bytes),
			 "largest_bytes", whole(site->largest_bytes),
			 "lifetime_ns", lifetime(site), "quarters", quarters(site),
			 "keeper", keeper(model->facts, &site->keeper),
			 "truncated", site->call.truncated, "stack", stack(model->facts, &site->call));
}

/* null: nothing was known there. */
static json_t *wrong_call(const struct model *model, const struct model_call *call,
			  uint64_t time_ns)
{
	if (!call->function)
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:b}", "function", text(call->function),
			 "time_ns", whole(time_ns), "stack", stack(model->facts, call),
			 "truncated", call->truncated);
}

static json_t *around(const struct block *block)
{
	if (!block->address)
		return json_null();
	return json_pack("{s:o, s:o}", "address", hex(block->address), "size", whole(block->size));
}

static json_t *wrong(const struct model *model, const struct model_wrong *wrong)
{
	const struct wrong_free *found = wrong->found;
	const struct freed *first = &found->first;
	bool comparable = wrong->is_double && first->free.function == found->free.function;

	return json_pack("{s:s, s:o, s:o, s:o, s:b, s:b, s:o, s:o, s:o, s:o, s:o}",
			 "kind", wrong->is_double ? "double-free" : "invalid-free",
			 "count", whole(found->count), "address", hex(found->free.address),
			 "size", first->site ? whole(first->size) : json_null(),
			 "by_resize", found->free.resizes, "first_by_resize", first->free.resizes,
			 "same_thread", comparable ?
			 json_boolean(first->free.tid == found->free.tid) : json_null(),
			 "block", around(&wrong->around),
			 "free", wrong_call(model, &wrong->free, found->free.time_ns),
			 "first_free", wrong_call(model, &wrong->first, first->free.time_ns),
			 "allocation", wrong_call(model, &wrong->alloc, wrong->around.address ?
						  wrong->around.time_ns : first->born_ns));
}

static json_t *wrongs(const struct model *model)
{
	json_t *list = json_array();

	for (size_t i = 0; i < model->nr_wrongs; i++)
		json_array_append_new(list, wrong(model, &model->wrongs[i]));
	return list;
}

static json_t *sum(const struct model_sum *sum)
{
	return json_pack("{s:o, s:o}", "bytes", whole(sum->bytes), "blocks", whole(sum->blocks));
}

static json_t *sums(const struct model_sum *sums)
{
	json_t *object = json_object();

	for (unsigned kind = 0; kind < SITE_KINDS; kind++)
		json_object_set_new(object, site_kind_key(kind), sum(&sums[kind]));
	return object;
}

/* null: nobody has looked. */
static json_t *leak_summary(const struct model *model)
{
	if (!model->facts->scan.done)
		return json_null();
	return json_pack("{s:o, s:o, s:o}", "seen", sums(model->seen),
			 "before_attach", sums(model->before),
			 "indirect_of_before", sum(&model->indirect_of_before));
}

static json_t *arena(const struct arena *arena)
{
	return json_pack("{s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
			 "address", hex(arena->address), "busy", arena->busy,
			 "system_bytes", whole(arena->system_bytes),
			 "used_blocks", whole(arena->used_blocks),
			 "used_bytes", whole(arena->used_bytes),
			 "cached_blocks", whole(arena->cached_blocks),
			 "cached_bytes", whole(arena->cached_bytes),
			 "free_blocks", whole(arena->free_blocks),
			 "free_bytes", whole(arena->free_bytes),
			 "top_bytes", whole(arena->top_bytes));
}

/* null: it was not walked. */
static json_t *walked_heap(const struct model *model)
{
	json_t *arenas;

	if (!model->facts->scan.walked)
		return json_null();
	arenas = json_array();
	for (size_t i = 0; i < model->nr_arenas; i++)
		json_array_append_new(arenas, arena(&model->arenas[i]));
	return json_pack("{s:o, s:o}", "arenas", arenas, "mapped", sum(&model->mapped));
}

static json_t *scan(const struct model *model)
{
	const struct run_scan *scan = &model->facts->scan;

	return json_pack("{s:b, s:b, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o}",
			 "only", scan->is_all, "wanted", scan->is_wanted, "done", scan->done,
			 "why_not", text(scan->done ? NULL : scan->why_not),
			 "pause_ns", whole(scan->pause_ns), "duration_ns", whole(scan->duration_ns),
			 "copied_bytes", whole(scan->bytes),
			 "scanned_bytes", whole(scan->scanned_bytes),
			 "threads", whole(scan->threads), "roots", whole(scan->roots),
			 "arenas", whole(scan->arenas), "heap_walked", scan->walked,
			 "walk_stopped", text(scan->walk_stopped),
			 "unjudged_blocks", whole(scan->unjudged_blocks),
			 "heap", walked_heap(model));
}

/* null: nothing may be said. */
static json_t *error_summary(const struct model *model, unsigned kinds)
{
	struct errors errors = errors_count(model, kinds);

	if (!errors_are_known(model))
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:b, s:o, s:i, s:i}",
			 "errors", whole(errors.errors), "contexts", whole(errors.contexts),
			 "leaks", whole(errors.leaks), "frees_judged", model->judges_frees,
			 "lost", whole(model->nr_wrongs_lost),
			 "suppressed", 0, "suppressed_contexts", 0);
}

static void put_break(const struct writer *writer)
{
	if (!writer->one_line)
		fprintf(writer->out, "\n%*s", writer->indent, "");
}

/*
 * Strings have no raw newline, so each one is between values: the place to indent.  Nor have
 * they any other control character but DEL.
 */
static int put_indented(const char *buffer, size_t bytes, void *data)
{
	const struct writer *writer = data;

	for (size_t i = 0; i < bytes; i++) {
		if (buffer[i] == '\n')
			put_break(writer);
		else if (buffer[i] == 0x7f)
			fputs("\\u007F", writer->out);
		else
			putc_unlocked(buffer[i], writer->out);
	}
	return 0;
}

static void put_value(struct writer *writer, json_t *value)
{
	/* ASCII, since the output may be a terminal, and there are control characters beyond. */
	size_t flags = JSON_ENCODE_ANY | JSON_PRESERVE_ORDER | JSON_ENSURE_ASCII;

	flags |= writer->one_line ? JSON_COMPACT : JSON_INDENT(1);
	if (!value || json_dump_callback(value, put_indented, writer, flags))
		writer->failed = true;
	json_decref(value);
}

static void put_key(const struct writer *writer, const char *key, bool first)
{
	if (!first)
		putc(',', writer->out);
	put_break(writer);
	fprintf(writer->out, writer->one_line ? "\"%s\":" : "\"%s\": ", key);
}

static void put_member(struct writer *writer, const char *key, json_t *value)
{
	put_key(writer, key, false);
	put_value(writer, value);
}

static json_t *site_at(const struct model *model, size_t i)
{
	return site_samples(site(model, &model->sites[i]), model, &model->sites[i]);
}

static json_t *group_at(const struct model *model, size_t i)
{
	return group(model, &model->groups[i]);
}

static void put_list(struct writer *writer, const struct model *model, const char *key, size_t nr,
		     json_t *(*item_at)(const struct model *model, size_t i))
{
	put_key(writer, key, false);
	putc('[', writer->out);
	writer->indent++;
	for (size_t i = 0; i < nr && !writer->failed; i++) {
		if (i)
			putc(',', writer->out);
		put_break(writer);
		put_value(writer, item_at(model, i));
	}
	writer->indent--;
	if (nr)
		put_break(writer);
	putc(']', writer->out);
}

int json_print(const struct model *model, const struct report_style *style, FILE *out)
{
	struct writer writer = { .out = out, .one_line = style->one_line, .indent = 1 };

	putc('{', out);
	put_key(&writer, "version", true);
	put_value(&writer, json_string(MEMTRACE_VERSION));
	put_member(&writer, "verdict", json_string(verdict_key(model->verdict)));
	put_member(&writer, "target", target(model->facts));
	put_member(&writer, "run", run(model));
	put_member(&writer, "heap", heap_samples(heap(model), model));
	put_member(&writer, "memory", memory(model->facts));
	put_member(&writer, "leak_summary", leak_summary(model));
	put_member(&writer, "scan", scan(model));
	put_member(&writer, "modules", modules(model));
	put_list(&writer, model, "sites", model->nr_sites, site_at);
	put_list(&writer, model, "before_attach", model->nr_groups, group_at);
	put_member(&writer, "errors", wrongs(model));
	put_member(&writer, "error_summary", error_summary(model, style->error_kinds));
	writer.indent = 0;
	put_break(&writer);
	fputs("}\n", out);
	if (writer.failed)
		return -ENOMEM;
	return ferror(out) ? -EIO : 0;
}
