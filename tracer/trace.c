/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The event loop, and what it does between events. */
#include "trace.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "attach.h"
#include "base/array.h"
#include "base/clock.h"
#include "base/message.h"
#include "dispatch.h"
#include "guard.h"
#include "missing.h"
#include "pauses.h"
#include "progress.h"
#include "refusals.h"
#include "signals.h"
#include "target/rescue.h"

/* Runs as short as this are worth a finer clock. */
#define SHORT_NS 2000000000
#define LAST_NS 2000000000
#define ATTEMPTS 3

static taddr_t original_pc(const struct process *process, taddr_t pc)
{
	const struct run *run = process->run;

	return run && run->probe ? probe_original_pc(run->probe, pc) : 0;
}

void trace_init(struct trace *trace, const struct options *options,
		struct symbolizer *symbolizer, struct namer *namer)
{
	memset(trace, 0, sizeof(*trace));
	trace->options = options;
	trace->namer = namer;
	trace->tick_ms = options->duration_ns && options->duration_ns < SHORT_NS ? 10 : 100;
	signals_tick_every(trace->tick_ms);
	switch_init(&trace->memleak, options);
	targets_init(&trace->targets);
	rescue_prepare(&trace->targets, original_pc);
	files_init(&trace->files, symbolizer);
}

void trace_deinit(struct trace *trace)
{
	for (size_t i = 0; i < trace->runs.nr; i++)
		run_destroy(trace->runs.items[i]);
	free(trace->runs.items);
	rescue_forgo();
	targets_deinit(&trace->targets);
	files_deinit(&trace->files);
	placement_stop(trace->placement);
	switch_deinit(&trace->memleak);
}

/* -ECANCELED: told already. */
static int add_run(struct trace *trace, struct process *process, struct run **out)
{
	int error = ARRAY_GROW(&trace->runs);

	if (!error)
		error = run_create(trace->options, &trace->targets, &trace->files,
				   &trace->attention, process, out);
	if (error)
		return error;
	(*out)->watching = trace->memleak.on;
	if (run_open_logs(*out, trace->namer)) {
		run_destroy(*out);
		return -ECANCELED;
	}
	trace->runs.items[trace->runs.nr++] = *out;
	return 0;
}

static void drop_last_run(struct trace *trace)
{
	struct run *run = trace->runs.items[--trace->runs.nr];
	struct process *process = run->process;

	run_destroy(run);
	process_destroy(&trace->targets, process);
}

/* Only the engine jump would do. */
static void refuse(const struct trace *trace, const char *target, const struct run *run)
{
	message_error("%s: %s: %s", target,
		      trace->options->sample_bytes ? "--sample" : "--engine jump",
		      run->probe->no_jump);
}

static void tell_failed_attach(const struct trace *trace, const struct run *run, int error)
{
	pid_t pid = run->process->pid;
	char name[32];

	snprintf(name, sizeof(name), "pid %d", pid);
	if (error == -ENOTSUP)
		refuse(trace, name, run);
	else if (error == -ENOEXEC)
		message_error("%s: %s", name, run_why_nothing(run));
	else
		refusals_tell(pid, NULL, error);
}

/* -EAGAIN: another tracer came since it was checked, and has left. */
static int try_attach(struct trace *trace, pid_t pid)
{
	struct process *process;
	struct run *run;
	int error = process_create(&trace->targets, pid, &process);

	if (!error)
		error = add_run(trace, process, &run);
	if (error)
		return error;
	run_begin_late(run, true);
	error = attach_run(trace, run);
	if (error == -EPERM && refusals_tracer_leaves(pid))
		error = -EAGAIN;
	if (error) {
		if (error != -EAGAIN)
			tell_failed_attach(trace, run, error);
		drop_last_run(trace);
		return error;
	}
	if (trace->options->scan)
		return 0;
	progress_attached(run);
	progress_runtimes(run);
	missing_tell(run, false);
	return 0;
}

static int attach_pid(struct trace *trace, pid_t pid)
{
	int error = -EAGAIN;

	for (unsigned i = 0; i < ATTEMPTS && error == -EAGAIN; i++)
		error = try_attach(trace, pid);
	if (error == -EAGAIN)
		refusals_tell(pid, NULL, -EPERM);
	return error;
}

/* In the child. */
static void restore_signals(void)
{
	signals_restore();
	rescue_restore_signals();
}

/* It was found and may be run, as far as could be seen before. */
static void tell_failed_launch(const struct trace *trace, int error)
{
	const char *command = trace->options->command[0];

	if (error == -EPERM)
		refusals_tell(0, command, error);
	else if (error == -ENOENT)
		message_error("%s: the interpreter or dynamic loader that it names is not there",
			      command);
	else
		message_error("%s: %s", command, strerror(-error));
}

static int launch(struct trace *trace)
{
	struct process *process;
	struct run *run;
	int error = process_launch(&trace->targets, trace->options->command, restore_signals,
				   &process);

	if (error) {
		tell_failed_launch(trace, error);
		return error == -ENOENT ? -ENOEXEC : error;
	}
	error = add_run(trace, process, &run);
	if (error == -ECANCELED) {
		kill(process->pid, SIGKILL);
		return error;
	}
	if (!error) {
		run->unstarted = true;
		error = run_open(run);
	}
	if (error) {
		message_error("%s cannot be traced: %s", trace->options->command[0],
			      strerror(-error));
		process->holding = true;
		thread_resume(process->threads.items[0], 0);
		process_detach(&trace->targets, process);
		return error;
	}
	/* On to the first stop in which it can run system calls: before its first instruction. */
	process_hold(process);
	thread_push_on(process->threads.items[0]);
	error = attach_command(trace, run);
	if (error == -ENOTSUP) {
		refuse(trace, trace->options->command[0], run);
		return error;
	}
	return 0;
}

int trace_start(struct trace *trace)
{
	/* Killed while we got ready: nobody is to be disturbed for that. */
	int error = guard_is_gone() ? -ECANCELED : 0;

	if (!error && trace->options->command)
		error = refusals_check_command(trace->options, &trace->files);
	for (size_t i = 0; !error && i < trace->options->nr_pids; i++)
		error = refusals_check_process(trace->options->pids[i]);
	if (!error && trace->options->command)
		error = launch(trace);
	for (size_t i = 0; !error && i < trace->options->nr_pids; i++)
		error = attach_pid(trace, trace->options->pids[i]);
	if (error) {
		for (size_t i = 0; i < trace->runs.nr; i++)
			detach_run(trace, trace->runs.items[i]);
		return error;
	}
	trace->began_ns = trace->last_progress_ns = clock_ns();
	trace->placement = placement_start();
	if (!trace->options->command && !trace->options->scan)
		progress_begin(trace);
	return 0;
}

static void turn_switch(struct trace *trace)
{
	bool turned = true;

	for (size_t i = 0; i < trace->runs.nr; i++)
		turned &= attach_switch(trace, trace->runs.items[i]);
	if (turned)
		message_info("memleak = %d: %s", trace->memleak.on,
			     trace->memleak.on ? "watching" : "nothing is watched any more");
}

static void tick(struct trace *trace, struct run *run, uint64_t now_ns)
{
	run_tick(run, now_ns);
	if (!run->process->ended)
		pauses_tick(trace, run);
}

static void on_tick(struct trace *trace)
{
	uint64_t now_ns;

	if (switch_look(&trace->memleak))
		turn_switch(trace);
	now_ns = clock_ns();
	dispatch_strays(trace);
	for (size_t i = 0; i < trace->runs.nr; i++)
		if (!trace->runs.items[i]->over && trace->runs.items[i]->probe)
			tick(trace, trace->runs.items[i], now_ns);
	if (now_ns - trace->last_progress_ns >= 1000000000) {
		progress_update(trace, now_ns);
		trace->last_progress_ns = now_ns;
	}
}

/* Runs whose process has ended; true while any other goes on. */
static bool reap_runs(struct trace *trace)
{
	bool going_on = false;

	trace->some_ended = false;
	for (size_t i = 0; i < trace->runs.nr; i++) {
		struct run *run = trace->runs.items[i];

		if (!run->over && run->process->ended)
			(void)run_finish(run);
		going_on |= !run->over;
	}
	return going_on;
}

static bool is_time_over(const struct trace *trace)
{
	return trace->options->duration_ns &&
	       clock_ns() - trace->began_ns >= trace->options->duration_ns;
}

/* Threads that could not stop, since they wait for a vfork child, and fork children of
 * processes that have ended: they stop by themselves and must not be left standing. */
static void free_last(struct trace *trace)
{
	uint64_t began_ns = clock_ns();

	while (trace->targets.nr_threads && clock_ns() - began_ns < LAST_NS) {
		dispatch_next(trace);
		dispatch_strays(trace);
	}
}

void trace_loop(struct trace *trace)
{
	bool going_on = reap_runs(trace);

	while (going_on && !trace->options->scan && !signals_end_requests()) {
		dispatch_next(trace);
		if (trace->attention)
			attach_serve(trace);
		if (trace->some_ended)
			going_on = reap_runs(trace);
		if (!signals_ticked())
			continue;
		on_tick(trace);
		if (is_time_over(trace))
			break;
	}
	message_progress_end();
	placement_stop(trace->placement);
	trace->placement = NULL;
	for (size_t i = 0; i < trace->runs.nr; i++)
		detach_run(trace, trace->runs.items[i]);
	free_last(trace);
	/* Of a command only now: at its start it has no library yet. */
	if (trace->options->command)
		missing_tell(trace->runs.items[0], true);
	progress_detached(trace);
}

void trace_close_logs(struct trace *trace)
{
	for (size_t i = 0; i < trace->runs.nr; i++)
		run_close_logs(trace->runs.items[i]);
}

int trace_await_command(struct trace *trace)
{
	const struct process *process = trace->runs.items[0]->process;
	int status = 0;

	/* Its threads that could not be let go yet stop for us first. */
	while (trace->targets.nr_threads)
		dispatch_next(trace);
	if (process->ended)
		return process->end == STOP_EXITED ? process->end_value << 8 : process->end_value;

	while (waitpid(process->pid, &status, 0) < 0)
		if (errno != EINTR || guard_is_gone())
			return -errno;
	return status;
}
