/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Words for the start, the middle and the end of a run. */
#include "progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/message.h"
#include "report/runtimes.h"

/* What a user would call the allocator: "glibc 2.36", "libjemalloc.so.2". */
static const char *allocator_name(const struct run *run)
{
	const struct functions *functions = &run->probe->functions;
	const struct module *best = NULL;
	const char *slash;

	for (size_t i = 0; i < functions->nr; i++) {
		const struct function *function = &functions->items[i];

		/* Another allocator than the C library's is the one that is used. */
		if (function->armed && allocator_counts(function->kind) &&
		    !function->kind->is_named && (!best || best->file->elf.version[0]))
			best = function->module;
	}
	if (!best)
		return "no allocator yet";
	if (best->file->elf.version[0])
		return best->file->elf.version;
	slash = strrchr(best->path, '/');
	return slash ? slash + 1 : best->path;
}

void progress_attached(const struct run *run)
{
	char name[80], allocator[80];
	size_t nr_threads = run->process->threads.nr;

	message_info("%s (pid %d): %zu thread%s, %s, %zu functions, engine %s; paused %.1f ms",
		     inert(name, sizeof(name), run->facts.name), run->facts.pid, nr_threads,
		     nr_threads == 1 ? "" : "s",
		     inert(allocator, sizeof(allocator), allocator_name(run)),
		     probe_nr_armed(run->probe), run->facts.engine,
		     (double)run->facts.attach_pause_ns / 1e6);
}

void progress_runtimes(const struct run *run)
{
	const struct runtime *runtime;

	for (size_t i = 0; (runtime = runtime_at(i)); i++)
		if (run->facts.runtimes & runtime->bit)
			message_info("pid %d: %s", run->facts.pid, runtime->words);
}

static void format_time(char *out, size_t bytes, uint64_t ns)
{
	uint64_t seconds = ns / 1000000000;

	if (seconds >= 3600)
		snprintf(out, bytes, "%" PRIu64 ":%02" PRIu64 ":%02" PRIu64, seconds / 3600,
			 seconds / 60 % 60, seconds % 60);
	else
		snprintf(out, bytes, "%" PRIu64 ":%02" PRIu64, seconds / 60, seconds % 60);
}

void progress_begin(const struct trace *trace)
{
	const char *plural = trace->runs.nr > 1 ? "es go" : " goes";

	if (trace->options->duration_ns)
		message_info("tracing for %g s; Ctrl-C ends now with the full report, the "
			     "process%s on", (double)trace->options->duration_ns / 1e9, plural);
	else
		message_info("tracing; Ctrl-C ends with the full report, the process%s on",
			     plural);
}

struct sums {
	uint64_t allocs, live_bytes;
	struct overhead_sums overhead;
	size_t growing, paused;
};

static void add_heap(struct sums *sums, const struct heap *heap)
{
	const struct site_estimate *estimate = &heap->estimate;

	sums->allocs += heap->sample_bytes ? estimate_whole(estimate->allocated.blocks)
					   : heap->totals.allocs;
	sums->live_bytes += heap->sample_bytes ? estimate->live.bytes : heap->totals.live_bytes;
	for (uint32_t id = 0; id < sites_count(heap->sites); id++)
		sums->growing += sites_get(heap->sites, id)->live_blocks &&
				 sites_growing(heap->sites, id);
}

static struct sums sum_up(const struct trace *trace)
{
	struct sums sums = { 0 };

	for (size_t i = 0; i < trace->runs.nr; i++) {
		const struct run *run = trace->runs.items[i];

		probe_lock(run->probe);
		for (unsigned h = 0; h < run->nr_heaps; h++)
			add_heap(&sums, &run->heaps[h]);
		probe_unlock(run->probe);
		sums.overhead.stopped_ns += run->overhead.sums.stopped_ns;
		sums.overhead.ran_ns += run->overhead.sums.ran_ns;
		sums.paused += run->brake.pausing && !run->over;
	}
	return sums;
}

/* In per cent, since the last time. */
static double take_overhead(struct trace *trace, const struct overhead_sums *now)
{
	const struct overhead_sums recent = {
		.stopped_ns = now->stopped_ns - trace->last_overhead.stopped_ns,
		.ran_ns = now->ran_ns - trace->last_overhead.ran_ns,
	};

	trace->last_overhead = *now;
	return (double)overhead_ppm(&recent) / 10000;
}

/* The log goes there. */
static bool is_in_the_way(const struct options *options)
{
	return options->log && !options->log_file;
}

void progress_update(struct trace *trace, uint64_t now_ns)
{
	uint64_t elapsed_ns = now_ns - trace->began_ns;
	uint64_t since_ns = now_ns - trace->last_progress_ns;
	char elapsed[32], total[40] = "";
	struct sums sums;

	if (trace->options->command || is_in_the_way(trace->options) ||
	    message_level() < MESSAGE_NORMAL || !isatty(STDERR_FILENO))
		return;
	if (!trace->memleak.on) {
		format_time(elapsed, sizeof(elapsed), elapsed_ns);
		message_progress("%s  not watching: memleak = 0 in %s", elapsed,
				 trace->options->config);
		return;
	}
	sums = sum_up(trace);
	format_time(elapsed, sizeof(elapsed), elapsed_ns);
	if (trace->options->duration_ns) {
		memcpy(total, " of ", 5);
		format_time(total + 4, sizeof(total) - 4, trace->options->duration_ns);
	}
	message_progress("%s%s  %" PRIu64 " allocs (%.0f/s)  in use +%.1f MiB  %zu place%s "
			 "growing  overhead %.1f %%%s",
			 elapsed, total, sums.allocs,
			 (double)(sums.allocs - trace->last_allocs) * 1e9 / (double)since_ns,
			 (double)sums.live_bytes / 1048576, sums.growing,
			 sums.growing == 1 ? "" : "s",
			 take_overhead(trace, &sums.overhead),
			 sums.paused ? "  not watching: --overhead" : "");
	trace->last_allocs = sums.allocs;
}

void progress_detached(const struct trace *trace)
{
	for (size_t i = 0; i < trace->runs.nr; i++) {
		const struct run *run = trace->runs.items[i];
		char name[80];

		if (trace->options->command && run->facts.end != RUN_DETACHED)
			continue;
		inert(name, sizeof(name), run->facts.name);
		if (run->facts.end == RUN_DETACHED)
			message_info("%s (pid %d): detached, process running; resolving names",
				     name, run->facts.pid);
		else
			message_info("%s (pid %d): ended; resolving names", name, run->facts.pid);
	}
}
