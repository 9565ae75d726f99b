/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The life of one traced process, as far as it is not about stops. */
#include "run.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/message.h"
#include "target/procfs.h"
#include "target/program.h"

static void take_event(void *taker, const struct event *event)
{
	heap_event(taker, event);
}

static void prefetch(void *taker, taddr_t address)
{
	heap_prefetch(taker, address);
}

/* One taker of all there is: see event/event.h. */
static void take_and_log_event(void *owner, const struct event *event)
{
	struct run *run = owner;
	const struct heap_totals *totals = &run->heaps[0].totals;
	uint64_t unknown_frees = totals->unknown_frees, frees = totals->frees;

	heap_event(&run->heaps[0], event);
	/* One that frees no block that counts is a step of the call around it. */
	if (event->kind == EVENT_FREE_INSIDE && totals->frees == frees)
		return;
	logs_event(&run->logs, &run->heaps[0], event, totals->unknown_frees != unknown_frees);
}

static void prefetch_for_log(void *owner, taddr_t address)
{
	const struct run *run = owner;

	heap_prefetch(&run->heaps[0], address);
}

static void learned(void *owner)
{
	struct run *run = owner;

	logs_learn(&run->logs, run->probe);
}

/* In another thread: ends the wait for a stop. */
static void wake(void *owner)
{
	const struct run *run = owner;

	*run->attention = true;
	(void)pthread_kill(run->tracer, SIGALRM);
}

static const char *base_name(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	return slash ? slash + 1 : path ? path : "?";
}

/* The name that ps shows, in full where the kernel has cut it: the program's own may be that
 * of a link's target. */
static const char *short_name(const struct run *run)
{
	const char *program = base_name(run->exe);

	if (!run->comm || !strncmp(program, run->comm, strlen(run->comm)))
		return program;
	return run->comm;
}

static void learn_names(struct run *run)
{
	static const char *const plain[] = { "malloc", "malloc_debug", NULL };
	enum program_kind kind = program_of_process(run->process->pid);
	char *exe = procfs_exe(run->process->pid);

	if (!exe && run->exe && errno == EACCES)
		return; /* not dumpable since we looked first */
	run->is_32_bit = kind == PROGRAM_32_BIT || kind == PROGRAM_X32;
	run->lacks_pymalloc = procfs_was_started_with(run->process->pid, "PYTHONMALLOC=", plain);
	free(run->exe);
	free(run->command);
	run->exe = exe;
	run->command = procfs_command(run->process->pid);
	run->facts.exe = run->exe;
	run->facts.command = run->command;
	free(run->comm);
	run->comm = procfs_comm(run->process->pid);
	run->facts.name = short_name(run);
}

/* One thread takes the events of some twenty processors that do nothing but allocate in turns;
 * on a machine of few it would only be in their way. */
static unsigned nr_of_takers(const struct options *options)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	if (options->engine == ENGINE_BREAK || processors < 8 || options_want_log(options))
		return 1;
	return processors < 16 ? 2 : EVENT_TAKERS;
}

static void deinit_heaps(struct run *run)
{
	while (run->nr_heaps)
		heap_deinit(&run->heaps[--run->nr_heaps]);
}

static int init_heaps(struct run *run, const struct options *options)
{
	unsigned nr = nr_of_takers(options);

	for (; run->nr_heaps < nr; run->nr_heaps++) {
		struct heap *heap = &run->heaps[run->nr_heaps];

		if (heap_init(heap)) {
			deinit_heaps(run);
			return -ENOMEM;
		}
		heap_sample(heap, options->sample_bytes);
		heap->keeps_free_stacks = options->free_stacks;
	}
	return 0;
}

int run_create(const struct options *options, struct targets *targets, struct files *files,
	       volatile bool *attention, struct process *process, struct run **out)
{
	struct run *run = calloc(1, sizeof(*run));

	if (!run)
		return -ENOMEM;
	if (init_heaps(run, options)) {
		free(run);
		return -ENOMEM;
	}
	run->options = options;
	run->attention = attention;
	run->targets = targets;
	run->files = files;
	run->tracer = pthread_self();
	run->process = process;
	process->run = run;
	run->facts.pid = process->pid;
	run->facts.launched = process->launched;
	run->facts.engine = ENGINE_NAME_BREAK;
	run->facts.sample_bytes = options->sample_bytes;
	run->facts.free_stacks = options->free_stacks;
	run->epoch_ns = clock_ns();
	run->watching = true;
	leakcheck_init(&run->leakcheck, options, &run->facts.scan);
	learn_names(run);
	*out = run;
	return 0;
}

void run_destroy(struct run *run)
{
	if (!run)
		return;
	if (run->process)
		run->process->run = NULL;
	leakcheck_deinit(&run->leakcheck);
	probe_destroy(run->probe);
	logs_destroy(&run->logs);
	deinit_heaps(run);
	free(run->exe);
	free(run->comm);
	free(run->command);
	free(run->functions);
	free(run->modules);
	free(run->gaps.items);
	free(run);
}

int run_open_logs(struct run *run, struct namer *namer)
{
	return logs_open(&run->logs, run->options, namer, &run->facts);
}

void run_close_logs(struct run *run)
{
	logs_close(&run->logs, &run->facts);
}

static void set_takers(struct run *run, struct event_sink *sink)
{
	sink->nr_takers = run->nr_heaps;
	if (run->logs.nr) {
		sink->event = take_and_log_event;
		sink->prefetch = prefetch_for_log;
		sink->takers[0] = run;
		return;
	}
	sink->event = take_event;
	sink->prefetch = prefetch;
	for (unsigned i = 0; i < run->nr_heaps; i++)
		sink->takers[i] = &run->heaps[i];
}

static int make_probe(struct run *run)
{
	struct probe_options options = {
		.depth = run->options->depth,
		.unwinder = run->options->unwinder,
		.engine = run->options->engine,
		.unstarted = run->unstarted,
		.sample_bytes = (int64_t)run->options->sample_bytes,
		.targets = run->targets,
		.epoch_ns = run->epoch_ns,
		.callers = run->logs.nr,
		.free_stacks = run->options->free_stacks,
		.learned = learned,
		.notify = wake,
		.owner = run,
	};
	int error;

	set_takers(run, &options.sink);
	error = probe_create(run->process, run->files, &options, &run->probe);

	return error ? error : probe_prepare(run->probe);
}

void run_begin_late(struct run *run, bool has_calls)
{
	for (unsigned i = 0; i < run->nr_heaps; i++)
		heap_begin_late(&run->heaps[i], has_calls);
}

int run_open(struct run *run)
{
	int error = process_open_memory(run->process);

	if (!error)
		error = make_probe(run);
	run->wants_arm = !error;
	return error;
}

static bool has_functions(const struct run *run)
{
	const struct functions *functions = &run->probe->functions;

	for (size_t i = 0; i < functions->nr; i++)
		if (allocator_counts(functions->items[i].kind))
			return true;
	return false;
}

static const struct elf_module *program_of(const struct run *run)
{
	const struct modules *modules = &run->probe->modules;

	for (size_t i = 0; i < modules->nr; i++)
		if (modules->items[i]->is_program && modules->items[i]->file &&
		    modules->items[i]->file->known)
			return &modules->items[i]->file->elf;
	return NULL;
}

const char *run_why_nothing(const struct run *run)
{
	const struct elf_module *program = program_of(run);

	if (run->is_32_bit)
		return "it is a 32-bit program: only 64-bit programs are traced";
	if (!program || program->has_interpreter || has_functions(run))
		return NULL;
	if (program->runtimes & RUNTIME_GO)
		return "it is a Go program without C code: its heap is not malloc's; use pprof";
	return "it is linked statically and no allocation function was found: its symbols are "
	       "stripped (see --debug-dir) or have other names (see --alloc and --free)";
}

static void read_overhead(const struct run *run, struct overhead_reading *out)
{
	const struct standstill *standstill = &run->process->standstill;

	*out = (struct overhead_reading){
		.at_ns = clock_ns(),
		.held_ns = standstill->held_ns, .nr_stops = standstill->nr_stops,
		.usual = standstill_usual_switch(standstill),
		.waited_ns = run->past.waited_ns + (run->probe ? probe_waited_ns(run->probe) : 0),
		.cpu_ns = process_cpu_ns(run->process),
	};
}

static void begin_overhead(struct run *run)
{
	struct overhead_reading first;

	process_count_stops(run->process);
	read_overhead(run, &first);
	overhead_begin(&run->overhead, (unsigned)sysconf(_SC_NPROCESSORS_ONLN), &first);
}

void run_measure(struct run *run)
{
	struct overhead_reading reading;

	if (!run->begun || run->process->ended)
		return;
	read_overhead(run, &reading);
	if (reading.cpu_ns) /* else nothing can be said */
		overhead_note(&run->overhead, &reading);
}

/* Once only: after an exec the time goes on. */
static void begin(struct run *run)
{
	learn_names(run); /* it may have come to its program since we looked first */
	run->epoch_ns = clock_ns();
	clock_gettime(CLOCK_REALTIME, &run->facts.started);
	run->facts.rss_start_bytes = procfs_rss_bytes(run->process->pid);
	run->facts.rss_end_bytes = run->facts.rss_start_bytes;
	begin_overhead(run);
	run->begun = true;
}

static void note_runtimes(struct run *run)
{
	const struct modules *modules = &run->probe->modules;

	run->facts.runtimes = 0;
	for (size_t i = 0; i < modules->nr; i++)
		if (modules->items[i]->file)
			run->facts.runtimes |= modules->items[i]->file->elf.runtimes;
	if (run->lacks_pymalloc)
		run->facts.runtimes &= ~(uint32_t)RUNTIME_PYTHON;
}

int run_arm(struct run *run, bool last_try)
{
	int error;

	if (!run->begun)
		begin(run);
	note_runtimes(run);
	if (run->wants_arm)
		probe_set_epoch(run->probe, run->epoch_ns);
	if (!run->watching)
		return 0;
	run->was_watched = true;
	error = probe_arm(run->probe, last_try);
	run->wants_arm = error == -EAGAIN;
	run->facts.engine = probe_engine(run->probe);
	return error;
}

static void add_stats(struct probe_stats *sum, const struct probe_stats *more)
{
	sum->stops += more->stops;
	sum->handling_ns += more->handling_ns;
	sum->walks += more->walks;
	sum->frames += more->frames;
	sum->complex_walks += more->complex_walks;
	sum->lost_walks += more->lost_walks;
	sum->missed += more->missed;
	sum->unarmed += more->unarmed;
	sum->unsampled += more->unsampled;
}

static uint64_t since_epoch(const struct run *run)
{
	return clock_ns() - run->epoch_ns;
}

/* Their names are the modules'. */
static void forget_functions(struct run *run)
{
	free(run->functions);
	run->functions = NULL;
	run->facts.functions = NULL;
	run->facts.nr_functions = 0;
}

int run_restart(struct run *run)
{
	pid_t tid = run->process->pid;
	int error = 0;

	if (run->probe) {
		add_stats(&run->past, &run->probe->stats);
		run->past.waited_ns += probe_waited_ns(run->probe);
	}
	run->past.missed = run->past.unarmed = run->past.unsampled = 0; /* of a map that is gone too */
	forget_functions(run);
	probe_destroy(run->probe);
	run->probe = NULL;
	logs_restart(&run->logs, since_epoch(run));
	leakcheck_forget(&run->leakcheck);
	memory_close(&run->process->memory);
	run->process->memory.tid = tid;
	free(run->exe);
	run->exe = NULL;
	learn_names(run);
	run->was_watched = run->facts.found_late = false;
	run->unstarted = true;
	for (unsigned i = 0; i < run->nr_heaps && !error; i++)
		error = heap_restart(&run->heaps[i]);
	if (!error)
		error = run_open(run);
	return error;
}

void run_note_memory(struct run *run)
{
	uint64_t rss = procfs_rss_bytes(run->process->pid);
	uint64_t ours = run->probe ? probe_memory_bytes(run->probe) : 0;

	if (rss)
		run->facts.rss_end_bytes = rss > ours ? rss - ours : rss;
}

/* Of what was not watched it is not known which blocks are there. */
static bool can_be_scanned(const struct run *run)
{
	return run->probe && (run->options->scan || (run->watching && run->was_watched));
}

void run_prepare_scan(struct run *run)
{
	if (can_be_scanned(run))
		leakcheck_prepare(&run->leakcheck, run->process, run->probe);
}

bool run_scan_should_wait(const struct run *run)
{
	return can_be_scanned(run) && leakcheck_should_wait(&run->leakcheck, run->process);
}

void run_take_scan(struct run *run)
{
	if (can_be_scanned(run))
		leakcheck_take(&run->leakcheck, run->process);
}

void run_thread_exits(struct run *run, const struct thread *thread)
{
	if (can_be_scanned(run))
		leakcheck_thread_exits(&run->leakcheck, thread, run->probe);
}

/* Then nothing else was looked at. */
static void note_only_scan(struct run *run)
{
	struct run_scan *facts = &run->facts.scan;

	if (!facts->done)
		run->facts.incomplete = facts->why_not;
	else if (facts->walk_stopped)
		run->facts.incomplete = "heap walk incomplete";
	else if (!facts->walked)
		run->facts.incomplete = "only glibc's heap can be walked, and that is not its allocator";
}

/* Where events were lost, the ledger has blocks that are not there any more, which only a walk of the
 * heap can tell. */
const struct scan *run_await_scan(struct run *run)
{
	const struct scan *scan = leakcheck_await(&run->leakcheck);

	if (run->options->scan)
		note_only_scan(run);
	if (!scan || scan->walked ||
	    (!run->facts.incomplete && !run->heaps[0].totals.replaced_blocks))
		return scan;
	run->facts.scan.done = false;
	run->facts.scan.why_not = "events were lost";
	return NULL;
}

static void heaps_tick(struct run *run, uint64_t now_ns)
{
	for (unsigned i = 0; i < run->nr_heaps; i++)
		heap_tick(&run->heaps[i], now_ns);
}

/* What the loader did not tell of may have been called before. */
static void look_at_modules(struct run *run)
{
	size_t nr = run->probe->functions.nr;

	probe_tick(run->probe);
	run->facts.found_late |= !run->probe->has_loader && run->probe->functions.nr > nr;
}

void run_tick(struct run *run, uint64_t now_ns)
{
	run_note_memory(run);
	run_measure(run);
	/* It may have begun since the tick: a fork child, while the switch was turned. */
	if (!run->watching || now_ns < run->epoch_ns)
		return;
	probe_lock(run->probe);
	heaps_tick(run, now_ns - run->epoch_ns);
	probe_unlock(run->probe);
	look_at_modules(run);
	if (run->probe->wants_hold)
		*run->attention = true;
}

/* jemalloc alone has mallocx(). */
static bool is_known_allocator(const struct functions *functions, const struct module *module)
{
	static const char mark[] = "mallocx";

	if (!module->is_program && module->file && *module->file->elf.version)
		return true;
	for (size_t i = 0; i < functions->nr; i++) {
		const char *symbol = functions->items[i].kind->symbol;
		size_t bytes = strlen(symbol);

		if (functions->items[i].module == module && bytes >= strlen(mark) &&
		    !strcmp(symbol + bytes - strlen(mark), mark))
			return true;
	}
	return false;
}

static bool knows_allocators(const struct functions *functions)
{
	for (size_t i = 0; i < functions->nr; i++)
		if (allocator_counts(functions->items[i].kind) &&
		    !functions->items[i].kind->is_named &&
		    !is_known_allocator(functions, functions->items[i].module))
			return false;
	return true;
}

static int list_functions(struct run *run)
{
	const struct functions *functions = &run->probe->functions;

	forget_functions(run);
	run->functions = calloc(functions->nr + 1, sizeof(*run->functions));
	if (!run->functions)
		return -ENOMEM;
	for (size_t i = 0; i < functions->nr; i++) {
		const struct function *function = &functions->items[i];
		bool shown = function->armed && allocator_counts(function->kind);

		run->functions[i] = (struct run_function){
			.name = function->kind->name,
			.module = function->module->path,
			.is_named = function->kind->is_named,
			.of_program = function->module->is_program,
			.engine = !shown ? NULL
				  : function->jumps ? ENGINE_NAME_JUMP : ENGINE_NAME_BREAK,
		};
	}
	run->facts.functions = run->functions;
	run->facts.nr_functions = functions->nr;
	run->facts.knows_allocators = knows_allocators(functions);
	return 0;
}

static int list_modules(struct run *run)
{
	const struct modules *modules = &run->probe->modules;

	run->modules = calloc(modules->nr + 1, sizeof(*run->modules));
	if (!run->modules)
		return -ENOMEM;
	for (size_t i = 0; i < modules->nr; i++) {
		const struct module *module = modules->items[i];
		bool known = module->file && module->file->known;

		run->modules[i] = (struct run_module){
			.path = module->path, .bias = module->bias, .known = known,
			.start = module->extent.start, .end = module->extent.end,
			.symbolizer_id = known ? module->file->elf.id : 0,
			.build_id = known ? module->file->elf.build_id : NULL,
			.build_id_bytes = known ? module->file->elf.build_id_bytes : 0,
		};
	}
	run->facts.modules = run->modules;
	run->facts.nr_modules = modules->nr;
	return 0;
}

static size_t nr_functions_traced(const struct run *run)
{
	size_t nr = 0;

	for (size_t i = 0; i < run->facts.nr_functions; i++)
		nr += run->facts.functions[i].engine != NULL;
	return nr;
}

static const char *why_incomplete(const struct run *run)
{
	if (!run->probe)
		return "its memory could not be opened";
	if (run->options->scan)
		return NULL;
	if (!run->was_watched && !run->watching)
		return run->resting_for == GAP_SWITCH ? "it was not watched: memleak = 0"
						      : "its last program was not watched: --overhead";
	if (!nr_functions_traced(run) && run_why_nothing(run))
		return run_why_nothing(run);
	if (!nr_functions_traced(run))
		return "no allocation function was found in it";
	if (run->probe->stats.unarmed)
		return "an allocation function could not be traced";
	if (probe_dropped(run->probe) > run->probe->stats.missed && run->options->sample_bytes)
		return "samples were lost: too many of them are live; a coarser --sample is needed";
	if (probe_dropped(run->probe) > run->probe->stats.missed)
		return "events were lost: the target was faster than the tracer";
	if (run->probe->stats.missed)
		return "the end of some calls could not be watched";
	return NULL;
}

/* Nobody knows what happened between the last instant that was watched and the end. */
static void note_end(struct run *run)
{
	const struct process *process = run->process;

	run->facts.end = RUN_DETACHED;
	if (process->end == STOP_NONE || !run->watching)
		return;
	run->facts.end = process->end == STOP_EXITED ? RUN_EXITED :
			 process->end == STOP_KILLED ? RUN_KILLED : RUN_LOST;
	run->facts.end_value = process->end_value;
}

static void merge_heaps(struct run *run)
{
	heaps_tick(run, run->facts.duration_ns);
	for (unsigned i = 0; i < run->nr_heaps; i++)
		heap_settle(&run->heaps[i]);
	while (run->nr_heaps > 1) {
		struct heap *last = &run->heaps[--run->nr_heaps];

		heap_merge(&run->heaps[0], last);
		heap_deinit(last);
	}
}

static void begin_pause(struct run *run)
{
	brake_begin_pause(&run->brake, &run->overhead);
	run->facts.overhead.pauses++;
}

static void end_pause(struct run *run)
{
	run->facts.overhead.paused_ns += brake_end_pause(&run->brake, &run->overhead);
}

void run_leave_to_switch(struct run *run)
{
	run_measure(run);
	end_pause(run);
	run->resting_for = GAP_SWITCH;
}

void run_rest(struct run *run, enum run_gap_reason reason)
{
	run->watching = run->wants_arm = false;
	run->resting_for = reason;
	if (reason == GAP_OVERHEAD)
		begin_pause(run);
	if (!run->probe || !run->was_watched)
		return;
	run->facts.engine = probe_engine(run->probe);
	(void)list_functions(run); /* without memory they have no names */
	probe_rest(run->probe);
	/* A call that was leaving may have been told of since. */
	for (unsigned i = 0; i < run->nr_heaps; i++)
		if (run->heaps[i].ticked_ns > run->rested_ns)
			run->rested_ns = run->heaps[i].ticked_ns;
	heaps_tick(run, run->rested_ns);
	logs_rest(&run->logs, run->rested_ns, reason);
}

static int note_gap(struct run *run, uint64_t to_ns)
{
	int error = ARRAY_GROW(&run->gaps);

	if (error)
		return error;
	run->gaps.items[run->gaps.nr++] = (struct run_gap){
		run->rested_ns, to_ns, run->resting_for,
	};
	run->facts.gaps = run->gaps.items;
	run->facts.nr_gaps = run->gaps.nr;
	return 0;
}

int run_wake(struct run *run)
{
	uint64_t now_ns = since_epoch(run);
	int error = note_gap(run, now_ns);

	run_measure(run);
	end_pause(run);
	overhead_forget(&run->overhead);
	for (unsigned i = 0; i < run->nr_heaps; i++)
		heap_disown(&run->heaps[i], now_ns);
	logs_wake(&run->logs, now_ns, run->resting_for);
	if (run->probe)
		probe_wake(run->probe);
	run->watching = true;
	run->wants_arm = run->probe;
	return error;
}

static void note_overhead(struct run *run)
{
	struct run_overhead *facts = &run->facts.overhead;

	end_pause(run);
	facts->stopped_ns = run->overhead.sums.stopped_ns;
	facts->ran_ns = run->overhead.sums.ran_ns;
	facts->share_ppm = overhead_ppm(&run->overhead.sums);
	facts->limit_ppm = run->options->overhead_ppm;
}

int run_finish(struct run *run)
{
	int error = 0;

	run_measure(run);
	run->over = true;
	run->facts.duration_ns = run->watching || run->options->scan ? since_epoch(run) :
									run->rested_ns;
	run->facts.ended_unwatched = !run->watching && !run->options->scan;
	run->facts.last_gap = (struct run_gap){
		run->rested_ns, since_epoch(run), run->resting_for,
	};
	note_overhead(run);
	note_end(run);
	if (run->probe && run->watching) {
		probe_finish(run->probe);
		run->facts.engine = probe_engine(run->probe);
		error = list_functions(run);
	}
	if (run->probe) {
		note_runtimes(run);
		add_stats(&run->past, &run->probe->stats);
		run->facts.dropped = probe_dropped(run->probe);
	}
	run->facts.stops = run->past.stops;
	run->facts.unsampled = run->past.unsampled;
	run->facts.handled_ns = run->past.handling_ns;
	run->facts.incomplete = why_incomplete(run);
	merge_heaps(run);
	leakcheck_begin(&run->leakcheck, &run->heaps[0].ledger);
	logs_end(&run->logs, &run->facts, &run->heaps[0]);
	if (run->probe && !error)
		error = list_modules(run);
	return error;
}
