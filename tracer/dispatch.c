/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Handles stops.  Every path ends with thread_resume(), thread_detach() or thread_forget(), so
 * no thread is ever left standing; while its process is held, thread_resume() keeps it.
 */
#include "dispatch.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/message.h"
#include "target/access.h"
#include "target/exec.h"
#include "target/procfs.h"

#define STRAY_NS 300000000

/* From here on its threads stay where they stop; attach_serve() goes on. */
static void hold_for_arming(struct trace *trace, struct process *process)
{
	trace->attention = true;
	process_hold(process);
}

static void on_trap(struct trace *trace, struct thread *thread)
{
	struct run *run = thread->process->run;

	if (run && run->probe && probe_trap(run->probe, thread)) {
		if (run->probe->wants_hold)
			hold_for_arming(trace, thread->process);
		placement_note(trace->placement, thread->process->pid, thread->tid);
		thread_resume(thread, 0);
		return;
	}
	if (run && run->probe)
		probe_settle(run->probe, thread);
	thread_resume(thread, SIGTRAP);
}

static void on_signal(struct thread *thread, int signal)
{
	struct run *run = thread->process->run;

	/* The frame that the handler returns to must not name a place that is only ours. */
	if (run && run->probe)
		probe_settle(run->probe, thread);
	thread_resume(thread, signal);
}

/* A run and a report of its own, under -f.  -ENOMEM: it is to be let go instead. */
static int make_run(struct trace *trace, struct thread *thread, struct process *process,
		    struct run **out)
{
	struct run *run;

	if (ARRAY_GROW(&trace->runs) ||
	    run_create(trace->options, &trace->targets, &trace->files, &trace->attention, process,
		       &run))
		return -ENOMEM;
	run->watching = trace->memleak.on;
	run->unstarted = thread->stopped_by == STOP_EXEC;
	trace->runs.items[trace->runs.nr++] = run;
	/* At an exec it has nothing yet; a fork child has what its parent had. */
	if (thread->stopped_by != STOP_EXEC)
		run_begin_late(run, false);
	(void)run_open_logs(run, trace->namer);
	(void)run_open(run);
	*out = run;
	return 0;
}

static void set_out(struct trace *trace, struct thread *thread, const struct run *run)
{
	if (run->wants_arm)
		hold_for_arming(trace, run->process);
	/* From an exec it goes on to a stop in which it can run system calls. */
	if (thread->stopped_by == STOP_EXEC)
		thread_push_on(thread);
	else
		thread_resume(thread, 0);
}

static int follow(struct trace *trace, struct thread *thread, struct process *process)
{
	struct run *run;
	int error = make_run(trace, thread, process, &run);

	if (!error)
		set_out(trace, thread, run);
	return error;
}

static void let_go(struct trace *trace, struct thread *thread, struct process *process)
{
	thread_detach(&trace->targets, thread, 0);
	process_destroy(&trace->targets, process);
}

/* What the jump engine has mapped is copied too. */
static void clean_up_child(struct thread *thread)
{
	struct process *process = thread->process;
	const struct run *run = process->parent->run;

	if (!run || !run->probe || process_open_memory(process))
		return;
	process->holding = true;
	thread_resume(thread, 0);
	probe_leave_child(run->probe, process);
	process->holding = false;
}

/* Where it is not dumpable, what can be known of it has to be learned now. */
static int follow_child(struct trace *trace, struct thread *thread)
{
	struct process *process = thread->process;
	struct access access;
	bool looks = process->hidden && !access_open(&access, &trace->targets, thread);
	struct run *run;
	int error = make_run(trace, thread, process, &run);

	if (looks)
		access_close(&access);
	if (!error)
		set_out(trace, thread, run);
	return error;
}

/* A fork child runs in a copy of the memory; its copy of our patches goes first. */
static void free_child(struct trace *trace, struct thread *thread)
{
	struct process *process = thread->process;

	if (!process->clean && memory_undo_in_child(&process->parent->memory, thread->tid))
		message_debug("pid %d: ended before its code could be restored", thread->tid);
	clean_up_child(thread);
	process->parent = NULL;
	if (!trace->options->follow_forks || follow_child(trace, thread))
		let_go(trace, thread, process);
}

/* Our INTERRUPT, or job control, has overtaken a trap: it must be taken before anything is
 * patched.  CONT, not LISTEN: job control stops the thread again once it is let go. */
static bool takes_trap_first(struct thread *thread)
{
	const struct process *process = thread->process;
	const struct run *run = process->run;

	if (!process->holding || !run || !run->probe || !probe_trap_pending(run->probe, thread))
		return false;
	thread->group_stopped = false;
	thread->resume_signal = 0;
	thread_push_on(thread);
	return true;
}

/* The first stop of a thread that another one has made. */
static void note_begin(struct thread *thread)
{
	struct run *run = thread->process->run;

	if (thread->begun || !run || !run->probe)
		return;
	thread->begun = true;
	probe_thread_begins(run->probe, thread);
}

static void on_event(struct trace *trace, struct thread *thread)
{
	struct process *process = thread->process;

	if (process->parent) {
		free_child(trace, thread);
		return;
	}
	if (takes_trap_first(thread))
		return;
	note_begin(thread);
	thread_restart_call(thread);
	thread_resume(thread, 0);
}

/* What the three events mean nearly always. */
static bool most_likely_shares(enum stop_kind event)
{
	return event != STOP_FORK;
}

/* Under a filter of system calls what makes it visible may be its end.  Jumps let it pass through
 * what they are copied with; breakpoints are its end for certain. */
static bool is_worth_it(const struct process *parent, pid_t child)
{
	const struct run *run = parent->run;

	return run && run->probe &&
	       (!run->probe->jump || !procfs_status_number(child, "Seccomp"));
}

static void be_guest(struct trace *trace, struct thread *thread, struct thread *creator)
{
	struct process *own = thread->process;

	thread_move(thread, own->parent);
	thread_be_guest(&trace->targets, thread);
	process_destroy(&trace->targets, own);
	if (creator)
		thread_parks(creator, thread->tid);
}

static void restore_visible(struct process *process)
{
	process->clean = !process_open_memory(process) &&
			 !memory_undo_in_child(&process->parent->memory, process->pid);
}

/* It is not dumpable, and we may not look.  `creator` (NULL: unknown) stands still until it is
 * restored. */
static void restore_hidden(struct trace *trace, struct thread *thread, struct thread *creator,
			   enum stop_kind event)
{
	struct process *process = thread->process, *parent = process->parent;
	bool shares = most_likely_shares(event);
	struct access access;
	int error = -EPERM;

	process->hidden = true;
	if (is_worth_it(parent, thread->tid))
		error = access_open(&access, &trace->targets, thread);
	/* If only the parent is hidden now, they share nothing. */
	if (!error)
		shares = process_shares_memory(parent->memory.tid, thread->tid) == 1;
	if (!error && !shares)
		restore_visible(process);
	if (!error)
		access_close(&access);
	if (shares)
		be_guest(trace, thread, creator);
	else if (error && error != -ESRCH && parent->memory.patches.nr)
		message_warn("pid %d: it is not dumpable, as its parent: breakpoints stay in it",
			     thread->tid);
}

/* A record of its own, that of a child; NULL: there is none to be made. */
static struct thread *make_child(struct trace *trace, struct process *parent, pid_t child)
{
	struct process *process;
	struct thread *thread;

	if (process_create(&trace->targets, child, &process))
		return NULL;
	process->parent = parent;
	if (!process_claim(&trace->targets, process, child, &thread))
		return thread;
	process_destroy(&trace->targets, process);
	return NULL;
}

static void adopt_child(struct trace *trace, struct process *parent, pid_t child)
{
	struct thread *thread = make_child(trace, parent, child);
	int error;

	if (!thread)
		return;
	/* At once: the parent may exec, or close a library, before the child's first stop. */
	error = memory_undo_in_child(&parent->memory, child);
	thread->process->clean = !error;
	if (error == -EACCES)
		restore_hidden(trace, thread, NULL, STOP_FORK);
}

/* kcmp(2) may not compare it with its creator. */
static void add_hidden(struct trace *trace, struct thread *creator, enum stop_kind event,
		       pid_t child)
{
	struct thread *thread = make_child(trace, creator->process, child);

	if (thread)
		restore_hidden(trace, thread, creator, event);
}

static void on_new_process(struct trace *trace, struct thread *thread, enum stop_kind event,
			   pid_t child)
{
	/* `thread` is stopped in the event that told of the child: both are there to compare. */
	int shared = process_shares_memory(thread->tid, child);
	struct thread *added;

	if (shared == -EPERM) {
		add_hidden(trace, thread, event, child);
	} else if (shared < 0 ? most_likely_shares(event) : shared) {
		/* vfork, or clone(CLONE_VM): it runs on our breakpoints until its exec. */
		if (!process_claim(&trace->targets, thread->process, child, &added))
			thread_be_guest(&trace->targets, added);
	} else {
		adopt_child(trace, thread->process, child);
	}
}

static void on_new(struct trace *trace, struct thread *thread, enum stop_kind event, pid_t child)
{
	struct process *process = thread->process;
	struct thread *added;

	if (procfs_status_number(child, "Tgid") == process->pid)
		(void)process_claim(&trace->targets, process, child, &added);
	else
		on_new_process(trace, thread, event, child);
	thread_resume(thread, 0);
}

/* A guest still runs on our breakpoints when its host has ended. */
static void note_end(struct trace *trace, struct process *process)
{
	process->ended = !process->threads.nr;
	trace->some_ended |= process->ended;
}

/* A vfork child has become a program of its own.  Where it had threads, one of which has done that,
 * `former` is that one's id before, of which no end is told. */
static void on_guest_exec(struct trace *trace, struct thread *thread, pid_t former)
{
	struct process *process, *host = thread->process;
	struct thread *gone = former == thread->tid ? NULL : targets_find(&trace->targets, former);

	if (gone)
		thread_forget(&trace->targets, gone);
	if (!trace->options->follow_forks ||
	    process_create(&trace->targets, thread->tid, &process)) {
		thread_detach(&trace->targets, thread, 0);
		note_end(trace, host);
		return;
	}
	thread_move(thread, process);
	note_end(trace, host);
	if (follow(trace, thread, process))
		let_go(trace, thread, process);
}

/* Traced by us the program would not get what its file gives it. */
static void on_syscall(struct trace *trace, struct thread *thread)
{
	struct process *host = thread->process;

	if (!exec_gives_rights(thread)) {
		thread_resume(thread, 0);
		return;
	}
	if (trace->options->follow_forks)
		message_info("pid %d: becomes a program with rights of its own: it is not traced",
			     thread->tid);
	thread_detach(&trace->targets, thread, 0);
	note_end(trace, host);
}

static void on_exec(struct trace *trace, struct thread *thread, pid_t former)
{
	struct process *process = thread->process;
	struct run *run = process->run;

	if (thread->guest) {
		on_guest_exec(trace, thread, former);
		return;
	}
	process_forget_others(&trace->targets, process, thread->tid);
	thread->exiting = false; /* the tid of a dead leader passes to the thread that execs */
	free(thread->calls);
	thread->calls = NULL;
	if (run) {
		run->facts.execs++;
		if (run_restart(run))
			message_warn("pid %d: the new program cannot be traced", process->pid);
		else
			hold_for_arming(trace, process);
	}
	thread->resume_signal = 0;
	thread_push_on(thread);
}

static bool has_own_threads(const struct process *process)
{
	for (size_t i = 0; i < process->threads.nr; i++)
		if (!process->threads.items[i]->guest)
			return true;
	return false;
}

static void on_gone(struct trace *trace, struct thread *thread, enum stop_kind kind, int value)
{
	struct process *process = thread->process;
	bool guest = thread->guest;

	thread_forget(&trace->targets, thread);
	if (!guest && !has_own_threads(process)) {
		process->end = kind;
		process->end_value = value;
	}
	note_end(trace, process);
	if (process->ended && !process->run && !dispatch_has_children(trace, process))
		process_destroy(&trace->targets, process);
}

static void on_exiting(struct thread *thread)
{
	struct run *run = thread->process->run;

	if (run) {
		run_note_memory(run);
		run_measure(run);
		run_thread_exits(run, thread);
	}
	if (run && run->probe)
		probe_thread_ends(run->probe, thread);
	thread_exiting(thread);
	thread_resume(thread, 0);
}

void dispatch_next(struct trace *trace)
{
	struct stop stop;

	targets_next(&trace->targets, &stop);
	if (stop.thread && stop.thread->leaving && stop.thread->stopped) {
		thread_detach(&trace->targets, stop.thread,
			      stop.kind == STOP_SIGNAL ? stop.value : 0);
		return;
	}
	switch (stop.kind) {
	case STOP_NONE:
	case STOP_NOBODY:
		return;
	case STOP_TRAP:
		on_trap(trace, stop.thread);
		return;
	case STOP_SIGNAL:
		on_signal(stop.thread, stop.value);
		return;
	case STOP_EVENT:
		on_event(trace, stop.thread);
		return;
	case STOP_CLONE:
	case STOP_FORK:
	case STOP_VFORK:
		on_new(trace, stop.thread, stop.kind, (pid_t)stop.message);
		return;
	case STOP_EXEC:
		on_exec(trace, stop.thread, (pid_t)stop.message);
		return;
	case STOP_SYSCALL:
		on_syscall(trace, stop.thread);
		return;
	case STOP_EXITING:
		on_exiting(stop.thread);
		return;
	case STOP_EXITED:
	case STOP_KILLED:
		on_gone(trace, stop.thread, stop.kind, stop.value);
		return;
	case STOP_GROUP:
		if (!takes_trap_first(stop.thread))
			thread_resume(stop.thread, 0);
		return;
	case STOP_OTHER:
		thread_resume(stop.thread, 0);
		return;
	}
}

bool dispatch_has_children(const struct trace *trace, const struct process *process)
{
	for (size_t i = 0; i < trace->targets.processes.nr; i++)
		if (trace->targets.processes.items[i]->parent == process)
			return true;
	return false;
}

static struct process *find_process(struct trace *trace, long pid)
{
	for (size_t i = 0; i < trace->targets.processes.nr; i++)
		if (trace->targets.processes.items[i]->pid == pid)
			return trace->targets.processes.items[i];
	return NULL;
}

/* A process that ended with the event that would have told of the stray. */
static struct process *find_ended(struct trace *trace)
{
	for (size_t i = 0; i < trace->targets.processes.nr; i++)
		if (trace->targets.processes.items[i]->ended)
			return trace->targets.processes.items[i];
	return NULL;
}

/* Where it is hidden, too, which will be seen then. */
static bool has_memory_of_its_own(const struct process *parent, pid_t child)
{
	int shared = process_shares_memory(parent->memory.tid, child);

	return shared == 0 || shared == -EPERM;
}

static void place_stray(struct trace *trace, struct thread *thread)
{
	struct process *process = find_process(trace, procfs_status_number(thread->tid, "Tgid"));
	struct process *parent = find_process(trace, procfs_status_number(thread->tid, "PPid"));

	if (!parent)
		parent = find_ended(trace);
	/* It may come yet, if we were busy for long. */
	targets_note_claimed(&trace->targets, thread->tid);
	if (process)
		(void)process_claim(&trace->targets, process, thread->tid, &thread);
	else if (parent && (parent->ended || has_memory_of_its_own(parent, thread->tid)))
		adopt_child(trace, parent, thread->tid);
	else
		thread_detach(&trace->targets, thread, 0);
}

void dispatch_strays(struct trace *trace)
{
	struct thread *thread = targets_unclaimed(&trace->targets);

	/* The event is most likely on its way. */
	if (!thread || clock_ns() - thread->stray_since_ns < STRAY_NS)
		return;
	place_stray(trace, thread);
}
