/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See logs.h. */
#include "logs.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/message.h"
#include "file_name.h"
#include "signals.h"

#define PATIENCE_NS 10000000000u
#define PATIENCE_ASKED_NS 2000000000u

static bool is_of_several(const struct options *options)
{
	return options->nr_pids > 1 || options->follow_forks;
}

static int told(const char *path, int error)
{
	message_error("%s: no log can be written: %s", path ? path : "log", strerror(-error));
	return error;
}

static int add_stream(struct logs *logs, struct stream_options *stream, const char *pattern,
		      const struct options *options)
{
	char path[PATH_MAX];
	int error = 0;

	stream->style.several = is_of_several(options);
	stream->image = logs->image;
	if (pattern)
		error = file_name_expand(pattern, stream->style.pid, stream->style.several, path,
					 sizeof(path));
	stream->path = pattern ? path : NULL;
	if (!error)
		error = stream_create(stream, &logs->streams[logs->nr]);
	if (error)
		return told(pattern, error);
	logs->nr++;
	return 0;
}

static int add_log(struct logs *logs, const struct options *options, struct stream_options stream)
{
	stream.format = &stream_log;
	stream.standard = STDERR_FILENO;
	return add_stream(logs, &stream, options->log_file, options);
}

static int add_format(struct logs *logs, const struct options *options,
		      const struct option_format *format, struct stream_options stream)
{
	stream.format = format->stream;
	stream.standard = options->command ? STDERR_FILENO : STDOUT_FILENO;
	return add_stream(logs, &stream, format->file ? format->file : options->output, options);
}

int logs_open(struct logs *logs, const struct options *options, struct namer *namer,
	      const struct run_facts *facts)
{
	const struct stream_options stream = {
		.style = { .name = facts->name, .pid = facts->pid },
	};
	int error = 0;

	if (!options_want_log(options))
		return 0;
	logs->namer = namer;
	error = image_create(namer, &logs->image);
	if (!error && options->log)
		error = add_log(logs, options, stream);
	for (size_t i = 0; i < options->nr_formats && !error; i++)
		if (options->formats[i].stream)
			error = add_format(logs, options, &options->formats[i], stream);
	return error;
}

/* The vdso's file is not one that could be opened, and allocates nothing. */
static uint32_t file_of(struct logs *logs, const struct module *module, pid_t tid)
{
	uint32_t file;
	int fd;

	if (!logs->namer || !module->file || !module->file->known || !module->inode)
		return IMAGE_NO_FILE;
	file = module->file->elf.id;
	if (namer_has_file(logs->namer, file))
		return file;
	fd = module_open_file(module, tid);
	if (fd < 0)
		return IMAGE_NO_FILE;
	namer_add_file(logs->namer, file, fd, module->path);
	return file;
}

static int learn_module(struct logs *logs, const struct module *module, pid_t tid)
{
	const struct image_module learned = {
		.path = module->path, .bias = module->bias, .is_program = module->is_program,
		.file = file_of(logs, module, tid),
	};

	return image_add_module(logs->image, &learned);
}

void logs_learn(struct logs *logs, const struct probe *probe)
{
	pid_t tid = probe->process->memory.tid;
	int error = 0;

	if (!logs->nr)
		return;
	for (size_t i = image_nr_modules(logs->image); i < probe->modules.nr && !error; i++)
		error = learn_module(logs, probe->modules.items[i], tid);
	for (size_t i = image_nr_functions(logs->image); i < probe->functions.nr && !error; i++) {
		const struct function *function = &probe->functions.items[i];

		error = image_add_function(logs->image, &(struct image_function){
			.name = function->kind->name,
			.module = function->module->id,
			.resizes = allocator_resizes(function->kind),
		});
	}
}

/* The engine does not repeat a stack that the heap knows by then. */
static void add_stack(const struct heap *heap, struct event *event)
{
	const struct site *site;
	struct stack_view stack;

	if (event->nr_frames || !event->site || !*event->site)
		return;
	site = sites_get(heap->sites, *event->site - 1);
	stack = stacks_get(heap->stacks, site->stack);
	event->stack = stack.frames;
	event->nr_frames = stack.nr_frames;
}

void logs_event(struct logs *logs, const struct heap *heap, const struct event *event,
		bool unknown)
{
	struct event whole = *event;

	add_stack(heap, &whole);
	for (size_t i = 0; i < logs->nr; i++)
		stream_event(logs->streams[i], &whole, unknown);
}

static void note(struct logs *logs, enum line_kind kind, uint64_t now_ns)
{
	for (size_t i = 0; i < logs->nr; i++)
		stream_note(logs->streams[i], kind, now_ns);
}

void logs_rest(struct logs *logs, uint64_t now_ns, enum run_gap_reason reason)
{
	note(logs, reason == GAP_SWITCH ? LINE_REST : LINE_PAUSE, now_ns);
}

void logs_wake(struct logs *logs, uint64_t now_ns, enum run_gap_reason reason)
{
	note(logs, reason == GAP_SWITCH ? LINE_WAKE : LINE_PAUSE_END, now_ns);
}

void logs_restart(struct logs *logs, uint64_t now_ns)
{
	if (logs->image)
		image_restart(logs->image);
	note(logs, LINE_EXEC, now_ns);
}

void logs_end(struct logs *logs, const struct run_facts *facts, const struct heap *heap)
{
	const struct heap_totals *heap_totals = &heap->totals;
	const struct stream_totals totals = {
		.time_ns = facts->duration_ns, .dropped = facts->dropped,
		.allocs = heap_totals->allocs, .frees = heap_totals->frees,
		.bytes_allocated = heap_totals->bytes_allocated,
		.live_blocks = heap_totals->live_blocks, .live_bytes = heap_totals->live_bytes,
		.failed = heap_totals->failed_allocs,
		.unknown_frees = heap_totals->unknown_frees,
	};

	for (size_t i = 0; i < logs->nr; i++)
		stream_end(logs->streams[i], facts->name, &totals);
}

static void close_one(struct stream *stream, const struct run_facts *facts)
{
	int asked = signals_end_requests(), error;
	uint64_t patience_ns = asked > 1 ? 0 : asked ? PATIENCE_ASKED_NS : PATIENCE_NS;
	uint64_t lost = stream_close(stream, patience_ns, asked, &error);

	if (lost)
		message_error("pid %d: log: %llu lines not written: %s", facts->pid,
			      (unsigned long long)lost,
			      error == ETIMEDOUT ? "nobody reads them" :
			      error ? strerror(error) : "they came too fast");
}

void logs_close(struct logs *logs, const struct run_facts *facts)
{
	for (size_t i = 0; i < logs->nr; i++)
		close_one(logs->streams[i], facts);
}

void logs_destroy(struct logs *logs)
{
	for (size_t i = 0; i < logs->nr; i++)
		stream_destroy(logs->streams[i]);
	image_destroy(logs->image);
	*logs = (struct logs){ .nr = 0 };
}
