/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Drives one thread through system calls from stop to stop. */
#include "syscall.h"

#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "procfs.h"

#define FLAG_TRAP 0x100
#define FLAG_DIRECTION 0x400

/* As PTRACE_O_TRACESYSGOOD marks them. */
#define SYSCALL_STOP (SIGTRAP | 0x80)

static int do_ptrace(int request, pid_t tid, unsigned long address, const void *data)
{
	return ptrace(request, tid, address, data) ? -errno : 0;
}

/* SIGSTOP and SIGTRAP, which cannot be or are not blocked, may come while a call runs.  Sent once
 * more at the end: the thread must not be stopped by them before it is whole again. */
static int note_signal(struct injection *injection, int status)
{
	int signal = WSTOPSIG(status);

	if (status >> 16)
		return 0;
	if (signal == SIGSEGV || signal == SIGBUS || signal == SIGILL)
		return -EFAULT; /* there is no syscall instruction there */
	if (signal == SIGSTOP || signal == SIGTRAP)
		injection->signals |= 1ULL << signal;
	return 0;
}

static void send_signals(const struct injection *injection)
{
	const struct thread *thread = injection->thread;
	pid_t pid = thread->guest ? thread->tid : thread->process->pid;

	for (int signal = 1; signal < 64; signal++)
		if (injection->signals & 1ULL << signal)
			(void)syscall(SYS_tgkill, pid, thread->tid, signal);
}

/* A dead leader's status comes after those of all others. */
static bool is_dead(pid_t tid)
{
	char state = procfs_state(tid, tid);

	return !state || state == 'Z' || state == 'X';
}

/* It waits in the stop of its exit, which nobody else will hear of: from there it goes on when it
 * is released or let go.  To push it on would be to wait for the end of a leader, which comes
 * after that of threads that wait for us. */
static int is_ending(struct injection *injection)
{
	injection->gone = true;
	injection->thread->stopped_by = STOP_EXITING;
	thread_exiting(injection->thread);
	return -ESRCH;
}

/* Killed where it stood: it must not be pushed on from where it stands now. */
static bool has_moved_on(pid_t tid)
{
	siginfo_t info = { .si_pid = 0 };

	return !waitid(P_PID, (id_t)tid, &info, WSTOPPED | WEXITED | WNOHANG | WNOWAIT | __WALL) &&
	       info.si_pid;
}

static int push_on(struct injection *injection, int request)
{
	pid_t tid = injection->thread->tid;
	int error = 0;

	if (!injection->gone && !has_moved_on(tid))
		error = do_ptrace(request, tid, 0, NULL);
	injection->gone |= error == -ESRCH;
	return injection->gone ? -ESRCH : error;
}

/* Lets the thread go on and waits for its next stop; what ends it is left to targets_next(). */
static int advance(struct injection *injection, int request, int *status)
{
	pid_t tid = injection->thread->tid;
	int error = push_on(injection, request);

	if (error)
		return error;
	while (waitpid(tid, status, __WALL) < 0) {
		if (errno != EINTR)
			return -errno;
		if (is_dead(tid))
			return is_ending(injection);
	}
	if (WIFSTOPPED(*status))
		return *status >> 16 == PTRACE_EVENT_EXIT ? is_ending(injection) : 0;
	injection->gone = true;
	targets_put_back(injection->targets, tid, *status);
	return -ESRCH;
}

static int advance_to(struct injection *injection, int request, bool (*arrived)(int status),
		      int *status)
{
	int error;

	for (;;) {
		error = advance(injection, request, status);
		if (error || arrived(*status))
			return error;
		error = note_signal(injection, *status);
		if (error)
			return error;
	}
}

static bool is_syscall_stop(int status)
{
	return WSTOPSIG(status) == SYSCALL_STOP;
}

static bool is_event_stop(int status)
{
	return status >> 16 == PTRACE_EVENT_STOP;
}

static int get_mask(pid_t tid, uint64_t *mask)
{
	return do_ptrace(PTRACE_GETSIGMASK, tid, sizeof(*mask), mask);
}

static int set_mask(pid_t tid, uint64_t mask)
{
	return do_ptrace(PTRACE_SETSIGMASK, tid, sizeof(mask), &mask);
}

/*
 * In a stop on the way back to user code; those of clone, fork and exec lie within the call.
 * From a job-control stop it can be made to run, too: what has stopped the process stops it
 * again as soon as we let it (kernel/signal.c, do_jobctl_trap() and __ptrace_unlink()).
 */
static bool can_call(const struct thread *thread)
{
	return thread->held && !thread->resume_signal &&
	       (thread->stopped_by == STOP_EVENT || thread->stopped_by == STOP_TRAP ||
		thread->stopped_by == STOP_SIGNAL || thread->stopped_by == STOP_GROUP);
}

/* From here on the thread comes back by itself if we are killed: it stands at the ret behind the
 * syscall instruction.  Only then may its mask be changed. */
static int hang_on_parachute(struct injection *injection, const struct parachute_code *code)
{
	arch_regs regs = injection->saved;

	injection->sp = regs.rsp;
	if (parachute_pack(injection->thread, &regs, injection->saved_mask, code, &injection->sp))
		return 0;
	regs.rsp = injection->sp;
	regs.rip = code->syscall + PARACHUTE_SYSCALL_BYTES;
	regs.orig_rax = (uint64_t)-1;
	return thread_set_regs(injection->thread, &regs);
}

int injection_begin(struct injection *injection, struct targets *targets, struct thread *thread,
		    const struct parachute_code *code)
{
	struct injection begun = {
		.targets = targets, .thread = thread, .instruction = code->syscall,
	};
	int error;

	if (!can_call(thread))
		return -EAGAIN;
	error = thread_get_regs(thread, &begun.saved);
	if (!error)
		error = get_mask(thread->tid, &begun.saved_mask);
	if (!error)
		error = hang_on_parachute(&begun, code);
	if (!error) /* all but SIGTRAP; the kernel keeps KILL and STOP out by itself */
		error = set_mask(thread->tid, ~(1ULL << (SIGTRAP - 1)));
	if (!error)
		*injection = begun;
	return error;
}

int injection_call(struct injection *injection, long number, const uint64_t arguments[6],
		   int64_t *result)
{
	arch_regs regs = injection->saved;
	int error, status;

	regs.rip = injection->instruction;
	regs.rsp = injection->sp;
	regs.rax = (uint64_t)number;
	regs.orig_rax = (uint64_t)-1; /* not in a system call: nothing is to be restarted */
	regs.eflags &= ~(uint64_t)(FLAG_TRAP | FLAG_DIRECTION);
	regs.rdi = arguments[0];
	regs.rsi = arguments[1];
	regs.rdx = arguments[2];
	regs.r10 = arguments[3];
	regs.r8 = arguments[4];
	regs.r9 = arguments[5];
	error = thread_set_regs(injection->thread, &regs);
	injection->gone |= error == -ESRCH;
	for (int stop = 0; !error && stop < 2; stop++) /* the entry, then the exit */
		error = advance_to(injection, PTRACE_SYSCALL, is_syscall_stop, &status);
	if (!error)
		error = thread_get_regs(injection->thread, &regs);
	if (!error)
		*result = (int64_t)regs.rax;
	return error;
}

/* The INTERRUPT makes the kernel look for signals on the way out, and only there does it see
 * that a call is to be restarted; without it -ERESTARTSYS would reach the program. */
int injection_end(struct injection *injection)
{
	struct thread *thread = injection->thread;
	int status, value;
	/* In this order: until its registers are set, the parachute sets the mask. */
	int masked = set_mask(thread->tid, injection->saved_mask);
	int error = thread_set_regs(thread, &injection->saved);

	if (!error)
		error = do_ptrace(PTRACE_INTERRUPT, thread->tid, 0, NULL);
	if (!error)
		error = advance_to(injection, PTRACE_CONT, is_event_stop, &status);
	if (!error) {
		thread->stopped_by = stop_decode(status, &value);
		thread->group_stopped = thread->stopped_by == STOP_GROUP;
	}
	send_signals(injection);
	return error ? error : masked;
}
