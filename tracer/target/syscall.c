/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Drives one thread through system calls from stop to stop. */
#include "syscall.h"

#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#define FLAG_TRAP 0x100
#define FLAG_DIRECTION 0x400

/* As PTRACE_O_TRACESYSGOOD marks them. */
#define SYSCALL_STOP (SIGTRAP | 0x80)

static int do_ptrace(int request, pid_t tid, unsigned long address, const void *data)
{
	return ptrace(request, tid, address, data) ? -errno : 0;
}

/* Lets the thread go on and waits for its next stop; what ends it is left to targets_next(). */
static int advance(struct injection *injection, int request, int *status)
{
	pid_t tid = injection->thread->tid;
	int error = do_ptrace(request, tid, 0, NULL);

	if (error)
		return error;
	while (waitpid(tid, status, __WALL) < 0)
		if (errno != EINTR)
			return -errno;
	if (WIFSTOPPED(*status))
		return 0;
	targets_put_back(injection->targets, tid, *status);
	return -ESRCH;
}

static int advance_to(struct injection *injection, int request, bool (*arrived)(int status))
{
	int status, error;

	do
		error = advance(injection, request, &status);
	while (!error && !arrived(status));
	return error;
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

int injection_begin(struct injection *injection, struct targets *targets, struct thread *thread,
		    taddr_t instruction)
{
	struct injection begun = {
		.targets = targets, .thread = thread, .instruction = instruction,
	};
	int error;

	if (!thread->held || thread->group_stopped || thread->resume_signal)
		return -EAGAIN;
	error = thread_get_regs(thread, &begun.saved);
	if (!error)
		error = get_mask(thread->tid, &begun.saved_mask);
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
	int error;

	regs.rip = injection->instruction;
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
	for (int stop = 0; !error && stop < 2; stop++) /* the entry, then the exit */
		error = advance_to(injection, PTRACE_SYSCALL, is_syscall_stop);
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
	int error = thread_set_regs(thread, &injection->saved);
	int masked = set_mask(thread->tid, injection->saved_mask);

	if (!error)
		error = do_ptrace(PTRACE_INTERRUPT, thread->tid, 0, NULL);
	if (!error)
		error = advance_to(injection, PTRACE_CONT, is_event_stop);
	return error ? error : masked;
}
