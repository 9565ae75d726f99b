/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The records of processes and threads; threads held and let go, and looked at while they stand. */
#include "process_parts.h"

#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/array.h"
#include "../base/clock.h"
#include "../base/hash.h"
#include "procfs.h"

void targets_init(struct targets *targets)
{
	memset(targets, 0, sizeof(*targets));
	targets->capable = procfs_capable(getpid(), CAP_SYS_PTRACE);
}

void targets_deinit(struct targets *targets)
{
	struct thread *stray;

	while (targets->processes.nr)
		process_destroy(targets, targets->processes.items[0]);
	while ((stray = targets_unclaimed(targets)))
		thread_forget(targets, stray);
	free(targets->processes.items);
	targets_init(targets);
}

static struct thread **bucket(struct targets *targets, pid_t tid)
{
	return &targets->buckets[hash_u64((uint64_t)tid) % TARGETS_BUCKETS];
}

struct thread *targets_find(struct targets *targets, pid_t tid)
{
	struct thread *thread = *bucket(targets, tid);

	while (thread && thread->tid != tid)
		thread = thread->next;
	return thread;
}

struct thread *targets_unclaimed(struct targets *targets)
{
	for (size_t i = 0; i < TARGETS_BUCKETS; i++)
		for (struct thread *thread = targets->buckets[i]; thread; thread = thread->next)
			if (!thread->process)
				return thread;
	return NULL;
}

struct thread *thread_create(struct targets *targets, pid_t tid)
{
	struct thread *thread = calloc(1, sizeof(*thread));

	if (!thread)
		return NULL;
	thread->tid = tid;
	thread->next = *bucket(targets, tid);
	*bucket(targets, tid) = thread;
	targets->nr_threads++;
	return thread;
}

int thread_join(struct process *process, struct thread *thread)
{
	if (ARRAY_GROW(&process->threads))
		return -ENOMEM;
	process->threads.items[process->threads.nr++] = thread;
	thread->process = process;
	return 0;
}

/* A leader that has ended stays a zombie, without maps, until the last thread ends. */
static void find_way_to_memory(struct process *process)
{
	const struct thread *found = NULL;

	for (size_t i = 0; i < process->threads.nr; i++) {
		const struct thread *thread = process->threads.items[i];

		if (!thread->exiting && (!found || found->guest))
			found = thread;
	}
	if (found)
		process->memory.tid = found->tid;
}

static void leave(struct thread *thread)
{
	struct process *process = thread->process;

	for (size_t i = 0; process && i < process->threads.nr; i++) {
		if (process->threads.items[i] != thread)
			continue;
		process->threads.items[i] = process->threads.items[--process->threads.nr];
		break;
	}
	thread->process = NULL;
	if (process && process->memory.tid == thread->tid)
		find_way_to_memory(process);
}

int thread_ending_signal(const struct thread *thread)
{
	unsigned long status;

	return ptrace(PTRACE_GETEVENTMSG, thread->tid, 0, &status) ? 0 : (int)(status & 0x7f);
}

void thread_exiting(struct thread *thread)
{
	thread->exiting = true;
	if (thread->process->memory.tid == thread->tid)
		find_way_to_memory(thread->process);
}

void thread_forget(struct targets *targets, struct thread *thread)
{
	struct thread **link = bucket(targets, thread->tid);

	leave(thread);
	while (*link != thread)
		link = &(*link)->next;
	*link = thread->next;
	targets->nr_threads--;
	free(thread->calls);
	free(thread);
}

void thread_be_guest(struct targets *targets, struct thread *thread)
{
	thread->guest = true;
	thread->calls_watched = !targets->capable;
}

void thread_move(struct thread *thread, struct process *process)
{
	leave(thread);
	thread->guest = thread->calls_watched = false;
	free(thread->calls); /* they name functions of the memory that it leaves */
	thread->calls = NULL;
	/* A process just made has room for its first thread. */
	(void)thread_join(process, thread);
}

void process_forget_others(struct targets *targets, struct process *process, pid_t tid)
{
	for (size_t i = process->threads.nr; i-- > 0;)
		if (process->threads.items[i]->tid != tid && !process->threads.items[i]->guest)
			thread_forget(targets, process->threads.items[i]);
}

int process_create(struct targets *targets, pid_t pid, struct process **out)
{
	struct process *process = calloc(1, sizeof(*process));

	if (!process || ARRAY_GROW(&targets->processes) || ARRAY_GROW(&process->threads)) {
		free(process);
		return -ENOMEM;
	}
	process->pid = pid;
	process->memory.tid = pid;
	targets->processes.items[targets->processes.nr++] = process;
	*out = process;
	return 0;
}

int process_open_memory(struct process *process)
{
	struct memory *memory = &process->memory;

	return memory->fd > 0 ? 0 : memory_open(memory, memory->tid);
}

void process_destroy(struct targets *targets, struct process *process)
{
	while (process->threads.nr)
		thread_forget(targets, process->threads.items[0]);
	for (size_t i = 0; i < targets->processes.nr; i++) {
		if (targets->processes.items[i] != process)
			continue;
		targets->processes.items[i] =
			targets->processes.items[--targets->processes.nr];
		break;
	}
	memory_close(&process->memory);
	free(process->threads.items);
	free(process);
}

void targets_note_claimed(struct targets *targets, pid_t tid)
{
	targets->gone[targets->nr_gone++ % TARGETS_GONE] = tid;
}

static bool has_gone(struct targets *targets, pid_t tid)
{
	for (size_t i = 0; i < TARGETS_GONE; i++) {
		if (targets->gone[i] != tid)
			continue;
		targets->gone[i] = 0;
		return true;
	}
	return false;
}

int process_claim(struct targets *targets, struct process *process, pid_t tid,
		  struct thread **out)
{
	struct thread *thread = targets_find(targets, tid);

	if (!thread && has_gone(targets, tid))
		return -ESRCH;
	if (!thread)
		thread = thread_create(targets, tid);
	else if (thread->process)
		return -EEXIST;
	if (!thread || thread_join(process, thread))
		return -ENOMEM;
	*out = thread;
	if (!thread->first_status)
		return 0;
	/* It stopped before we knew of it: hand that stop out next. */
	targets_put_back(targets, tid, thread->first_status);
	thread->first_status = 0;
	return 0;
}

void thread_detach(struct targets *targets, struct thread *thread, int signal)
{
	(void)do_ptrace(PTRACE_DETACH, thread->tid, 0, (unsigned long)signal);
	thread_forget(targets, thread);
}

int thread_get_regs(const struct thread *thread, arch_regs *regs)
{
	return do_ptrace(PTRACE_GETREGS, thread->tid, 0, (unsigned long)regs);
}

int thread_set_regs(const struct thread *thread, const arch_regs *regs)
{
	return do_ptrace(PTRACE_SETREGS, thread->tid, 0, (unsigned long)regs);
}

int thread_set_pc(const struct thread *thread, taddr_t pc)
{
	return do_ptrace(PTRACE_POKEUSER, thread->tid, ARCH_PC_OFFSET, pc);
}

bool thread_trap_is_breakpoint(const struct thread *thread)
{
	siginfo_t info;

	/* int3 on x86 raises SI_KERNEL; kill, tgkill and sigqueue give 0 or less. */
	return !do_ptrace(PTRACE_GETSIGINFO, thread->tid, 0, (unsigned long)&info) &&
	       info.si_code == SI_KERNEL;
}

/* struct rseq and struct rseq_cs as in <linux/rseq.h>. */
bool thread_in_rseq(const struct thread *thread)
{
	const struct memread *memory = &thread->process->memory.read;
	struct __ptrace_rseq_configuration configuration = { 0 };
	taddr_t section;
	uint64_t bounds[2]; /* start, bytes */
	arch_regs regs;

	if (ptrace(PTRACE_GET_RSEQ_CONFIGURATION, thread->tid, sizeof(configuration),
		   &configuration) <= 0 || !configuration.rseq_abi_pointer ||
	    !memread_exact(memory, configuration.rseq_abi_pointer + 8, &section,
			   sizeof(section)) || !section ||
	    !memread_exact(memory, section + 8, bounds, sizeof(bounds)) ||
	    thread_get_regs(thread, &regs))
		return false;
	return regs.rip - bounds[0] < bounds[1];
}

int thread_suspend_seccomp(const struct thread *thread, bool suspend)
{
	return do_ptrace(PTRACE_SETOPTIONS, thread->tid, 0,
			 SEIZE_OPTIONS | (suspend ? PTRACE_O_SUSPEND_SECCOMP : 0));
}

uint64_t process_cpu_ns(const struct process *process)
{
	struct timespec time;
	clockid_t clock;

	if (clock_getcpuclockid(process->pid, &clock) || clock_gettime(clock, &time))
		return 0;
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

void process_count_stops(struct process *process)
{
	uint64_t now_ns = clock_ns();

	process->standstill.held_ns = process->standstill.nr_stops = 0;
	for (size_t i = 0; i < process->threads.nr; i++)
		if (process->threads.items[i]->stopped_ns)
			process->threads.items[i]->stopped_ns = now_ns;
}

bool thread_trap_pending(const struct thread *thread)
{
	/* By its own id: a guest is in another process. */
	return procfs_signal_pending(thread->tid, thread->tid, SIGTRAP);
}

void thread_restart_call(const struct thread *thread)
{
	arch_regs regs;

	if (thread_get_regs(thread, &regs) || !arch_call_interrupted(&regs) ||
	    procfs_signal_deliverable(thread->tid))
		return;
	arch_call_again(&regs);
	(void)thread_set_regs(thread, &regs);
}

void thread_parks(struct thread *thread, pid_t child)
{
	arch_regs regs;

	if (thread_get_regs(thread, &regs))
		return;
	thread->parked_for = child;
	thread->parked_sp = regs.rsp;
	thread->parked_pc = regs.rip;
}

static bool waits_for_guest(const struct thread *thread)
{
	const struct process *process = thread->process;

	for (size_t i = 0; thread->parked_for && i < process->threads.nr; i++)
		if (process->threads.items[i]->guest &&
		    process->threads.items[i]->tid == thread->parked_for)
			return true;
	return false;
}

bool thread_parked_at(const struct thread *thread, taddr_t *sp, taddr_t *pc)
{
	if (!waits_for_guest(thread))
		return procfs_blocked_at(thread->tid, thread->tid, sp, pc);
	*sp = thread->parked_sp;
	*pc = thread->parked_pc;
	return true;
}

void process_hold(struct process *process)
{
	process->holding = true;
	process_hold_again(process);
}

void process_hold_again(struct process *process)
{
	for (size_t i = 0; i < process->threads.nr; i++)
		if (!process->threads.items[i]->held)
			(void)do_ptrace(PTRACE_INTERRUPT, process->threads.items[i]->tid, 0, 0);
}

/*
 * Waiting in vfork for its child (state D, and PTRACE_INTERRUPT does not reach it): it cannot
 * get back to user code before it takes the stop that is pending.  One that waits for a page
 * of its code or data does not count: it may stand in code of ours.
 */
static bool is_parked(const struct thread *thread)
{
	return procfs_state(thread->tid, thread->tid) == 'D' &&
	       (waits_for_guest(thread) || procfs_in_system_call(thread->tid, thread->tid));
}

bool process_all_held(const struct process *process, bool accept_parked)
{
	bool ending = true;

	for (size_t i = 0; i < process->threads.nr; i++) {
		const struct thread *thread = process->threads.items[i];

		if (!thread->held && thread->exiting)
			continue;
		if (!thread->held && !(accept_parked && is_parked(thread)))
			return false;
		ending = false;
	}
	/* Where all are exiting, that is the end to wait for. */
	return !ending;
}

void process_release(struct process *process)
{
	process->holding = false;
	for (size_t i = 0; i < process->threads.nr; i++)
		if (process->threads.items[i]->held)
			thread_push_on(process->threads.items[i]);
}

void process_detach(struct targets *targets, struct process *process)
{
	for (size_t i = process->threads.nr; i-- > 0;) {
		struct thread *thread = process->threads.items[i];

		if (thread->held)
			thread_detach(targets, thread, thread->resume_signal);
		else if (thread->exiting)
			thread_forget(targets, thread);
		else
			thread->leaving = true;
	}
	process->holding = false;
}
