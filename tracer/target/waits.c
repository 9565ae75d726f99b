/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stops as they come from the kernel, one after the other, and how threads go on after them. */
#include "process_parts.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../base/clock.h"
#include "procfs.h"

#define FIRST_STOP_US 100

void targets_put_back(struct targets *targets, pid_t tid, int status)
{
	targets->queue_first = (targets->queue_first + TARGETS_QUEUE - 1) % TARGETS_QUEUE;
	targets->queue[targets->queue_first].tid = tid;
	targets->queue[targets->queue_first].status = status;
	targets->queue_nr++;
}

static bool queue_put(struct targets *targets, pid_t tid, int status)
{
	unsigned last = (targets->queue_first + targets->queue_nr) % TARGETS_QUEUE;

	targets->queue[last].tid = tid;
	targets->queue[last].status = status;
	/* The other half is for targets_put_back(). */
	return ++targets->queue_nr < TARGETS_QUEUE / 2;
}

/* Of a child that is not traced, as the symbolizer: left there it would hide all that follow. */
static bool drop_stop(const siginfo_t *info)
{
	int status;

	return info->si_code == CLD_STOPPED &&
	       waitpid(info->si_pid, &status, WUNTRACED | WNOHANG | __WALL) > 0;
}

static bool look(siginfo_t *info, int flags)
{
	do {
		info->si_pid = 0;
		if (waitid(P_ALL, 0, info, WEXITED | WSTOPPED | WNOWAIT | __WALL | flags))
			return false;
	} while (info->si_pid && drop_stop(info));
	return info->si_pid;
}

/* A signal is about to be delivered to a thread that we know. */
static bool is_delivery(struct targets *targets, const siginfo_t *info)
{
	return info->si_code == CLD_TRAPPED && info->si_status != SIGTRAP &&
	       info->si_status <= 64 && targets_find(targets, info->si_pid);
}

/*
 * Waits for one status, then takes all others that are ready.
 *
 * A signal that is about to be delivered is lost if the tracer is killed once it has taken that
 * stop: wait4() clears what the kernel would go on with (kernel/exit.c, wait_task_stopped()).
 * So such a stop is looked at, answered, and never taken; but not twice of one thread while
 * others may be waiting behind it.
 */
static void queue_fill(struct targets *targets)
{
	siginfo_t info;
	int status;

	if (!look(&info, WNOHANG)) {
		targets->peeked = 0;
		if (!look(&info, 0))
			return;
	}
	targets->queue_ns = clock_ns();
	do {
		if (is_delivery(targets, &info) && info.si_pid != targets->peeked) {
			if (targets->queue_nr)
				return;
			targets->peeked = info.si_pid;
			queue_put(targets, info.si_pid, info.si_status << 8 | 0x7f);
			return;
		}
		targets->peeked = 0;
		if (waitpid(info.si_pid, &status, __WALL | WNOHANG) <= 0)
			return;
	} while (queue_put(targets, info.si_pid, status) && targets->nr_threads > 1 &&
		 look(&info, WNOHANG));
}

/* A thread that nobody has told of yet waits for its creator's event. */
static void park_unknown(struct targets *targets, pid_t tid, int status)
{
	struct thread *thread;

	if (!WIFSTOPPED(status)) {
		targets_note_claimed(targets, tid);
		return;
	}
	thread = thread_create(targets, tid);
	if (!thread)
		return;
	thread->stopped = true;
	thread->first_status = status;
	thread->stray_since_ns = clock_ns();
}

/* False: the thread has been killed since, and stands in its end, whose message is the exit status
 * of the process. */
static bool read_message(const struct thread *thread, int status, unsigned long *out)
{
	siginfo_t info;

	return !do_ptrace(PTRACE_GETEVENTMSG, thread->tid, 0, (unsigned long)out) &&
	       !do_ptrace(PTRACE_GETSIGINFO, thread->tid, 0, (unsigned long)&info) &&
	       info.si_code == status >> 8;
}

static bool has_message(enum stop_kind kind)
{
	return kind == STOP_CLONE || kind == STOP_FORK || kind == STOP_VFORK || kind == STOP_EXEC;
}

/* A thread that waits in a system call has nothing to lose by our INTERRUPT. */
static bool loses_time(const struct thread *thread)
{
	arch_regs regs;

	return thread->stopped_by != STOP_EVENT ||
	       (!thread_get_regs(thread, &regs) && !arch_is_in_call(&regs));
}

/* It may have been let go, and stopped again, since the queue was filled. */
static void begin_stop(struct thread *thread, uint64_t queue_ns)
{
	uint64_t now_ns = queue_ns > thread->resumed_ns ? queue_ns : thread->resumed_ns;

	thread->stopped_ns = loses_time(thread) ? now_ns : 0;
	thread->measured = thread->to_be_measured && thread->stopped_by == STOP_TRAP;
	thread->to_be_measured = false;
	if (!thread->measured)
		return;
	thread->last_switch.took_ns = now_ns - thread->resumed_ns;
	thread->last_switch.cpu_ns = procfs_cpu_ns(thread->tid, thread->tid) -
				     thread->last_switch.cpu_ns;
}

/* Before it is let go: it may have a turn before that call returns to us. */
static void end_stop(struct thread *thread)
{
	if (thread->to_be_measured)
		thread->last_switch.cpu_ns = procfs_cpu_ns(thread->tid, thread->tid);
	thread->measured = false;
	thread->resumed_ns = clock_ns();
	if (thread->process && thread->stopped_ns)
		standstill_add_stop(&thread->process->standstill,
				    thread->resumed_ns - thread->stopped_ns);
	thread->stopped_ns = 0;
}

void thread_measure_switch(struct thread *thread)
{
	thread->to_be_measured = true;
}

void thread_switch_measured(struct thread *thread)
{
	if (thread->measured && thread->process)
		standstill_add_switch(&thread->process->standstill, &thread->last_switch,
				      thread->stopped_ns);
	thread->measured = false;
}

static void describe(struct thread *thread, int status, uint64_t queue_ns, struct stop *out)
{
	out->thread = thread;
	out->kind = stop_decode(status, &out->value);
	thread->stopped = WIFSTOPPED(status);
	if (has_message(out->kind) && !read_message(thread, status, &out->message))
		*out = (struct stop){ .kind = STOP_NONE }; /* its end will be told, too */
	thread->stopped_by = out->kind;
	thread->parked_for = 0;
	thread->group_stopped = out->kind == STOP_GROUP;
	if (thread->stopped)
		begin_stop(thread, queue_ns);
}

void targets_next(struct targets *targets, struct stop *out)
{
	struct thread *thread;
	pid_t tid;
	int status;

	*out = (struct stop){ .kind = targets->nr_threads ? STOP_NONE : STOP_NOBODY };
	if (!targets->nr_threads)
		return;
	if (!targets->queue_nr)
		queue_fill(targets);
	if (!targets->queue_nr)
		return;
	tid = targets->queue[targets->queue_first].tid;
	status = targets->queue[targets->queue_first].status;
	targets->queue_first = (targets->queue_first + 1) % TARGETS_QUEUE;
	targets->queue_nr--;
	thread = targets_find(targets, tid);
	if (!thread)
		park_unknown(targets, tid, status);
	else if (!thread->process)
		thread->first_status = status;
	else
		describe(thread, status, targets->queue_ns, out);
}

static bool stands_in_first_stop(const struct thread *thread)
{
	siginfo_t info;

	return !do_ptrace(PTRACE_GETSIGINFO, thread->tid, 0, (unsigned long)&info) &&
	       info.si_code >> 8 == PTRACE_EVENT_STOP;
}

bool thread_await_first_stop(struct targets *targets, struct thread *thread)
{
	arch_regs regs;
	int status;

	/* It comes to it at once, but perhaps after all others that want to run. */
	while (thread_get_regs(thread, &regs)) {
		char state = procfs_state(thread->tid, thread->tid);

		if (!state || state == 'Z' || state == 'X')
			return false;
		usleep(FIRST_STOP_US);
	}
	/* Else it has been taken already, and is in the queue. */
	if (waitpid(thread->tid, &status, __WALL | WNOHANG) > 0)
		targets_put_back(targets, thread->tid, status);
	return stands_in_first_stop(thread);
}

void thread_resume(struct thread *thread, int signal)
{
	bool holding = thread->process && thread->process->holding;

	thread->resume_signal = signal;
	/* A signal is not kept waiting: its handler's first instruction will do as well.  Nor is an
	 * end, which an exec may wait for; nor is it kept within a system call, where it could not
	 * run others for us. */
	thread->held = holding && !signal && !thread->exiting && thread->stopped_by != STOP_SYSCALL;
	if (thread->held)
		return;
	if (holding)
		(void)do_ptrace(PTRACE_INTERRUPT, thread->tid, 0, 0);
	thread_push_on(thread);
}

void thread_push_on(struct thread *thread)
{
	int request = thread->group_stopped ? PTRACE_LISTEN
		      : thread->calls_watched ? PTRACE_SYSCALL : PTRACE_CONT;

	end_stop(thread);
	thread->held = false;
	thread->stopped = false;
	/* ESRCH: killed meanwhile, which waitpid will tell. */
	(void)do_ptrace(request, thread->tid, 0,
			thread->group_stopped ? 0 : (unsigned long)thread->resume_signal);
}
