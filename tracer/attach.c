/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Attach: look while it runs, seize, hold, look again, arm, release.
 * Detach: hold, move threads out of our code, restore the bytes, let go.
 */
#include "attach.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/clock.h"
#include "base/message.h"
#include "dispatch.h"
#include "signals.h"
#include "target/procfs.h"
#include "target/urgency.h"

#define HOLD_TICK_MS 5
#define ASK_AGAIN_NS 20000000
#define GIVE_UP_NS 10000000000
#define ARM_TRIES 20
#define QUIET_NS 100000000
#define QUIET_ONLY_NS 1000000000
#define LEAVE_NS 15000000000
#define ORPHANS_MOST 8
#define LEAVE_WAIT_MOST_MS 128

/* Until every thread stands still.  -ETIMEDOUT: one does not. */
static int await_held(struct trace *trace, struct process *process)
{
	uint64_t began_ns = clock_ns(), asked_ns = began_ns, now_ns;
	int error = 0;

	signals_tick_every(HOLD_TICK_MS);
	while (!process->ended) {
		bool late = clock_ns() - began_ns > ASK_AGAIN_NS;

		if (process_all_held(process, late) && !dispatch_has_children(trace, process))
			break;
		dispatch_next(trace);
		now_ns = clock_ns();
		if (now_ns - asked_ns > ASK_AGAIN_NS) {
			process_hold_again(process);
			dispatch_strays(trace);
			asked_ns = now_ns;
		}
		if (now_ns - began_ns > GIVE_UP_NS) {
			error = -ETIMEDOUT;
			break;
		}
	}
	signals_tick_every(trace->tick_ms);
	return process->ended ? -ESRCH : error;
}

/* Whether what an exec kept from being seized is to be tried again: after a stop, which may be the
 * one that the exec waits for. */
static bool try_again(struct trace *trace, int error, uint64_t began_ns)
{
	if (error != -EAGAIN || clock_ns() - began_ns > GIVE_UP_NS)
		return false;
	dispatch_next(trace);
	return true;
}

/* All that runs in its memory, and goes on running. */
static int seize_family(struct trace *trace, struct run *run)
{
	uint64_t began_ns = clock_ns();
	int error;

	do {
		error = process_seize(&trace->targets, run->process, NULL);
		if (!error)
			error = process_seize_strangers(&trace->targets, run->process);
	} while (try_again(trace, error, began_ns));
	return error;
}

/* Those that came since, and are held, too. */
static int seize_late(struct trace *trace, struct run *run, size_t *added)
{
	uint64_t began_ns = clock_ns();
	int error;

	*added = 0;
	do {
		error = process_seize(&trace->targets, run->process, added);
		if (!error)
			error = process_seize_guests(&trace->targets, run->process, added);
	} while (try_again(trace, error, began_ns));
	return error;
}

/* Threads made by ones that were not seized yet are found once all the others stand. */
static int hold_all(struct trace *trace, struct run *run)
{
	size_t added;
	int error = seize_late(trace, run, &added);

	if (error)
		return error;
	added = 1;
	process_hold(run->process);
	while (!error && added) {
		error = await_held(trace, run->process);
		if (!error)
			error = seize_late(trace, run, &added);
	}
	return error;
}

/* What was opened while it ran may be the memory of a program left by exec since. */
static int open_again(struct process *process)
{
	pid_t tid = process->memory.tid;

	memory_close(&process->memory);
	process->memory.tid = tid;
	return memory_open(&process->memory, tid);
}

/* A second Ctrl-C skips what takes long. */
static bool is_in_a_hurry(void)
{
	return signals_end_requests() > 1;
}

/* They go on for a moment, and are held again. */
static int let_run(struct trace *trace, struct run *run, unsigned milliseconds)
{
	uint64_t until_ns = clock_ns() + milliseconds * 1000000ull;

	process_release(run->process);
	signals_tick_every(1);
	while (!run->process->ended && clock_ns() < until_ns)
		dispatch_next(trace);
	process_hold(run->process);
	return await_held(trace, run->process);
}

/* A thread that is in a stub, perhaps waiting for a lock of its allocator, has to leave it first.
 * Nobody can enter any more.  False: memory of ours stays, and the user was told. */
static bool leave(struct trace *trace, struct run *run, struct jump *jump)
{
	uint64_t began_ns = clock_ns();
	unsigned wait_ms = 1, execs = run->facts.execs;
	int error = jump_leave(jump);

	while (error == -EBUSY && clock_ns() - began_ns < LEAVE_NS && !is_in_a_hurry()) {
		error = let_run(trace, run, wait_ms);
		run->facts.detach_pause_ns -= wait_ms * 1000000ull; /* that was none */
		/* With an exec it is gone, and perhaps `jump` with it. */
		if (run->process->ended || error || run->facts.execs != execs)
			return true;
		error = jump_leave(jump);
		wait_ms = wait_ms < LEAVE_WAIT_MOST_MS ? 2 * wait_ms : wait_ms;
	}
	if (error)
		message_warn("pid %d: some memory of ours stays mapped, unused: %s",
			     run->process->pid,
			     error == -EBUSY ? "a thread waits in there" : strerror(-error));
	return !error;
}

/* False: see leave(). */
static bool take_out_patches(struct trace *trace, struct run *run)
{
	int error = run->probe ? probe_disarm(run->probe) : 0;

	if (error)
		message_error("pid %d: code could not be restored: %s", run->process->pid,
			      strerror(-error));
	return !run->probe || !run->probe->jump || leave(trace, run, run->probe->jump);
}

/* The heap is looked at while nobody changes it, if such a moment can be had; while one waits for it,
 * calls are still seen. */
static void await_quiet(struct trace *trace, struct run *run)
{
	uint64_t limit_ns = trace->options->scan ? QUIET_ONLY_NS : QUIET_NS;
	uint64_t began_ns = clock_ns();
	unsigned execs = run->facts.execs;
	int error = 0;

	while (!error && clock_ns() - began_ns < limit_ns && run_scan_should_wait(run)) {
		error = let_run(trace, run, 1);
		run->facts.detach_pause_ns -= 1000000; /* that was none */
		if (run->process->ended || run->facts.execs != execs || is_in_a_hurry())
			return;
	}
}

/* A thread that waits for its vfork child cannot stop before that execs; it runs no code of
 * ours, and is let go when it stops. */
static void restore(struct trace *trace, struct run *run)
{
	if (!is_in_a_hurry())
		await_quiet(trace, run);
	if (!run->process->ended)
		(void)take_out_patches(trace, run);
	if (!run->process->ended && !is_in_a_hurry())
		run_take_scan(run);
	process_detach(&trace->targets, run->process);
}

/* Jumps take a thread that can run system calls, which may be none just now. */
static int arm(struct trace *trace, struct run *run)
{
	int error = -EAGAIN;

	for (unsigned i = 0; error == -EAGAIN && i <= ARM_TRIES; i++) {
		if (i)
			error = let_run(trace, run, 1);
		if (error && error != -EAGAIN)
			return error;
		/* What was loaded meanwhile; without a probe an exec has led to nothing. */
		error = run->probe ? probe_prepare(run->probe) : -ESRCH;
		if (!error)
			error = run_arm(run, i == ARM_TRIES);
	}
	return error;
}

static int hold_and_arm(struct trace *trace, struct run *run)
{
	int error;

	urgency_begin();
	error = hold_all(trace, run);
	if (!error)
		error = arm(trace, run);
	if (run->probe)
		run->probe->wants_hold = false;
	run->wants_arm = false;
	return error;
}

static void let_go_on(struct trace *trace, struct run *run)
{
	process_release(run->process);
	urgency_end();
	(void)symbolizer_prepare(trace->files.symbolizer);
}

int attach_arm(struct trace *trace, struct run *run)
{
	int error = hold_and_arm(trace, run);

	let_go_on(trace, run);
	return error;
}

int attach_command(struct trace *trace, struct run *run)
{
	int error = hold_and_arm(trace, run);

	if (error == -ENOTSUP)
		kill(run->process->pid, SIGKILL);
	let_go_on(trace, run);
	return error;
}

static void serve(struct trace *trace, struct run *run)
{
	bool looked = run->probe && probe_wants_look(run->probe);
	int error = 0;

	if (looked)
		probe_look(run->probe);
	if (run->wants_arm || (run->probe && run->probe->wants_hold))
		error = attach_arm(trace, run);
	if (error && error != -ESRCH)
		message_warn("pid %d: not all of it is traced: %s", run->process->pid,
			     error == -ENOTSUP ? run->probe->no_jump : strerror(-error));
	if (looked && run->probe)
		probe_looked(run->probe);
}

void attach_serve(struct trace *trace)
{
	trace->attention = false;
	for (size_t i = 0; i < trace->runs.nr; i++)
		if (!trace->runs.items[i]->over && !trace->runs.items[i]->process->ended)
			serve(trace, trace->runs.items[i]);
}

/* Opens the run as soon as the code is what it was: to tell who is still in the orphan, stacks have
 * to be walked. */
static int open_for_walks(struct run *run, struct jump *orphan)
{
	pid_t tid = run->process->memory.tid;
	int error = 0;

	if (!run->probe) {
		memory_close(&run->process->memory);
		run->process->memory.tid = tid;
		error = run_open(run);
	}
	if (!error)
		orphan->options.walker = &run->probe->walker;
	return error;
}

static int take_out(struct trace *trace, struct run *run, struct jump *orphan)
{
	int error = jump_restore(orphan);

	message_debug("pid %d: taking out what a memtrace that was killed has left",
		      run->process->pid);
	if (!error)
		error = jump_disarm(orphan);
	if (!error)
		error = open_for_walks(run, orphan);
	if (!error)
		(void)leave(trace, run, orphan);
	run->facts.detach_pause_ns = 0;
	return error;
}

/* What tracers that were killed have left behind is taken out first.  An exec that comes in
 * between takes it out as well. */
static int remove_orphans(struct trace *trace, struct run *run)
{
	struct jump *orphan;
	int error = seize_family(trace, run);

	if (!error)
		error = hold_all(trace, run);
	for (unsigned i = 0; !error && !run->facts.execs && i < ORPHANS_MOST; i++) {
		if (jump_adopt(&trace->targets, run->process, &orphan))
			break;
		error = take_out(trace, run, orphan);
		jump_destroy(orphan);
	}
	process_release(run->process);
	return error;
}

/* Without holding anything, since there is none nearly always. */
static int look_for_orphans(struct trace *trace, struct run *run)
{
	struct process *process = run->process;
	int error = memory_open(&process->memory, process->memory.tid);
	pid_t tid;

	if (!error && jump_has_orphan(process))
		error = remove_orphans(trace, run);
	if (run->probe)
		return error; /* all is open */
	tid = process->memory.tid;
	memory_close(&process->memory);
	process->memory.tid = tid;
	return error;
}

/* Holds, patches, and lets go; the pause is what the target's last thread has of it. */
static int attach_held(struct trace *trace, struct run *run)
{
	uint64_t held_ns = clock_ns();
	int error = hold_all(trace, run);

	if (!error)
		error = open_again(run->process);
	if (!error)
		error = arm(trace, run);
	if (error) {
		restore(trace, run);
		return error;
	}
	process_release(run->process);
	run->facts.attach_pause_ns = clock_ns() - held_ns;
	return 0;
}

int attach_run(struct trace *trace, struct run *run)
{
	int error;

	run->process->memory.tid = procfs_live_thread(run->process->pid);
	if (!run->process->memory.tid)
		return -ESRCH;
	error = look_for_orphans(trace, run);
	if (!error && !run->probe)
		error = run_open(run);
	if (!error && run_why_nothing(run) && !trace->options->follow_forks)
		error = -ENOEXEC;
	if (!error)
		error = seize_family(trace, run);
	if (error) {
		process_detach(&trace->targets, run->process);
		return error;
	}
	urgency_begin();
	error = attach_held(trace, run);
	urgency_end();
	(void)symbolizer_prepare(trace->files.symbolizer);
	return error;
}

static int hold_for_patches(struct trace *trace, struct run *run)
{
	int error;

	process_hold(run->process);
	error = await_held(trace, run->process);
	if (error == -ETIMEDOUT)
		message_warn("pid %d: a thread does not stop", run->process->pid);
	return error;
}

/* Where a thread does not stop, nothing is changed, and it goes on being watched. */
static bool rest(struct trace *trace, struct run *run, enum run_gap_reason reason)
{
	uint64_t pause_ns = run->facts.detach_pause_ns;
	int error;

	urgency_begin();
	error = hold_for_patches(trace, run);
	if (!error) {
		run->rested_ns = clock_ns() - run->epoch_ns; /* to leave may take a while */
		run->unbraked |= !take_out_patches(trace, run);
		run_rest(run, reason); /* also where it has ended since: that was not watched */
	}
	process_release(run->process);
	urgency_end();
	run->facts.detach_pause_ns = pause_ns;
	run->unbraked |= error != 0;
	if (error && error != -ESRCH)
		message_warn("pid %d: it goes on being watched: %s", run->process->pid,
			     strerror(-error));
	return !error || error == -ESRCH;
}

static bool wake(struct trace *trace, struct run *run)
{
	int error = run_wake(run);

	if (!error && run->probe)
		error = attach_arm(trace, run);
	if (error && error != -ESRCH)
		message_warn("pid %d: not all of it is watched again: %s", run->process->pid,
			     error == -ENOTSUP ? run->probe->no_jump : strerror(-error));
	return !error || error == -ESRCH;
}

bool attach_switch(struct trace *trace, struct run *run)
{
	if (run->over || run->process->ended)
		return true;
	if (trace->memleak.on)
		return run->watching || wake(trace, run);
	if (run->watching)
		return rest(trace, run, GAP_SWITCH);
	run_leave_to_switch(run);
	return true;
}

bool attach_pause(struct trace *trace, struct run *run)
{
	return rest(trace, run, GAP_OVERHEAD);
}

bool attach_go_on(struct trace *trace, struct run *run)
{
	return wake(trace, run);
}

static void detach_held(struct trace *trace, struct run *run)
{
	uint64_t held_ns = clock_ns();

	if (hold_for_patches(trace, run) == -ETIMEDOUT)
		message_info("pid %d: the others are let go", run->process->pid);
	if (!run->process->ended)
		restore(trace, run);
	run->facts.detach_pause_ns += clock_ns() - held_ns;
}

void detach_run(struct trace *trace, struct run *run)
{
	if (run->over)
		return;
	if (!run->process->ended && !is_in_a_hurry())
		run_prepare_scan(run);
	if (!run->process->ended) {
		urgency_begin();
		detach_held(trace, run);
		urgency_end();
	}
	(void)run_finish(run);
}
