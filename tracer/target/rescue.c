/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Async-signal-safe throughout: no allocation, no stream, no lock. */
#include "rescue.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "procfs.h"

#define STACK_BYTES 65536
/* Of 1 ms: a thread stops as soon as it runs, but on a busy machine that may take a while; one that
 * waits for its vfork child does not. */
#define STOP_TRIES 5000
#define BLOCKED_TRIES 50
#define EVENT_OF(code) ((code) >> 8)

static const int crashes[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };
#define NR_CRASHES (sizeof(crashes) / sizeof(crashes[0]))

static struct targets *volatile targets;
static rescue_original_pc *original_pc;
static volatile pid_t tracer;
static volatile sig_atomic_t rescuing;
static struct sigaction found[NR_CRASHES];

static void nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

/* A slot may hold a single ret. */
static bool is_trap(const struct patch *patch)
{
	static const uint8_t trap[] = { ARCH_BREAKPOINT };

	return patch->bytes == sizeof(trap) && patch->patched[0] == trap[0];
}

/* At once: a thread that runs meets no more of them. */
static void take_traps(const struct memory *memory)
{
	for (size_t i = memory->patches.nr; i-- > 0;)
		if (is_trap(&memory->patches.items[i]))
			memory_undo_one(memory, &memory->patches.items[i]);
}

static const struct patch *trap_before(const struct memory *memory, taddr_t pc)
{
	for (size_t i = 0; i < memory->patches.nr; i++)
		if (is_trap(&memory->patches.items[i]) &&
		    memory->patches.items[i].address + ARCH_BREAKPOINT_BYTES == pc)
			return &memory->patches.items[i];
	return NULL;
}

/* The target's own. */
static bool is_on_trap(const struct memory *memory, taddr_t pc)
{
	static const uint8_t trap[] = { ARCH_BREAKPOINT };
	uint8_t byte;

	return pread(memory->fd, &byte, 1, (off_t)(pc - sizeof(trap))) == 1 && byte == trap[0];
}

/* Dead, as a leader may be, or in a system call, and so not in a slot: also a page fault may take
 * its time. */
static bool is_blocked(pid_t tid)
{
	char state = procfs_state(tid, tid);

	return !state || state == 'Z' || state == 'X' ||
	       (state == 'D' && procfs_in_system_call(tid, tid));
}

/* False: it does not stop, or is gone. */
static bool await_stop(pid_t tid)
{
	struct user_regs_struct regs;
	int status;

	for (int i = 0; i < STOP_TRIES; i++) {
		if (!ptrace(PTRACE_GETREGS, tid, 0, &regs))
			return true;
		if (i >= BLOCKED_TRIES && is_blocked(tid))
			return false;
		(void)ptrace(PTRACE_INTERRUPT, tid, 0, 0);
		if (waitpid(tid, &status, __WALL | WNOHANG) > 0 && !WIFSTOPPED(status))
			return false;
		nap();
	}
	return false;
}

/* The signal that it is to be let go with. */
static int signal_of(const struct memory *memory, const siginfo_t *info, taddr_t pc)
{
	if (info->si_signo != SIGTRAP)
		return info->si_signo;
	if (info->si_code <= 0)
		return SIGTRAP;	/* sent */
	/* Ours are gone; one that has been dealt with leads elsewhere. */
	return EVENT_OF(info->si_code) || !is_on_trap(memory, pc) ? 0 : SIGTRAP;
}

/* A child that only an event would have told of: in its copy are its parent's patches.  What shares
 * the memory, as a new thread does, begins outside of our code. */
static void let_child_go(const struct memory *parents, pid_t child, bool most_likely_shares)
{
	int shares = process_shares_memory(parents->tid, child);

	if (shares < 0 ? !most_likely_shares : !shares)
		(void)memory_undo_in_child(parents, child);
	if (await_stop(child))
		(void)ptrace(PTRACE_DETACH, child, 0, 0);
}

/* Killed meanwhile it stands in its end, whose message is a status. */
static bool read_child(pid_t tid, int event, unsigned long *child)
{
	siginfo_t now;

	return !ptrace(PTRACE_GETEVENTMSG, tid, 0, child) &&
	       !ptrace(PTRACE_GETSIGINFO, tid, 0, &now) && EVENT_OF(now.si_code) == event;
}

static void mind_event(const struct memory *memory, pid_t tid, const siginfo_t *info)
{
	int event = info->si_signo == SIGTRAP ? EVENT_OF(info->si_code) : 0;
	unsigned long child;

	if (event >= PTRACE_EVENT_FORK && event <= PTRACE_EVENT_CLONE &&
	    read_child(tid, event, &child))
		let_child_go(memory, (pid_t)child, event != PTRACE_EVENT_FORK);
}

/* Stopped by us with the processor's trap still queued: it must come out first. */
static bool push_on(pid_t tid)
{
	return !ptrace(PTRACE_CONT, tid, 0, 0) && await_stop(tid);
}

static bool is_processors_trap(const siginfo_t *info)
{
	return info->si_signo == SIGTRAP && info->si_code > 0 && !EVENT_OF(info->si_code);
}

/* False: it is gone, or does not stop. */
static bool look(pid_t tid, struct user_regs_struct *regs, siginfo_t *info)
{
	memset(info, 0, sizeof(*info));
	return await_stop(tid) && (!ptrace(PTRACE_GETSIGINFO, tid, 0, info) || errno == EINVAL) &&
	       !ptrace(PTRACE_GETREGS, tid, 0, regs);
}

/* Its original place, where it stands behind a breakpoint that it has just run into, or in a slot. */
static taddr_t place_without_us(const struct process *process, taddr_t pc, const siginfo_t *info)
{
	taddr_t original = original_pc(process, pc);

	if (trap_before(&process->memory, pc) && is_processors_trap(info))
		return pc - ARCH_BREAKPOINT_BYTES;
	return original ? original : pc;
}

/* It stands, held, where it would without us, and resume_signal is what it is to go on with. */
static void bring_out(struct process *process, struct thread *thread)
{
	const struct memory *memory = &process->memory;
	bool was_held = thread->held;
	struct user_regs_struct regs;
	siginfo_t info;
	taddr_t place;

	thread->held = look(thread->tid, &regs, &info);
	while (thread->held && !is_processors_trap(&info) && trap_before(memory, regs.rip) &&
	       procfs_signal_pending(thread->tid, thread->tid, SIGTRAP))
		thread->held = push_on(thread->tid) && look(thread->tid, &regs, &info);
	if (!thread->held)
		return;
	if (!was_held)
		thread->resume_signal = signal_of(memory, &info, regs.rip);
	place = place_without_us(process, regs.rip, &info);
	if (place != regs.rip) {
		regs.rip = place;
		(void)ptrace(PTRACE_SETREGS, thread->tid, 0, &regs);
	}
	mind_event(memory, thread->tid, &info);
}

static void rescue(struct process *process)
{
	take_traps(&process->memory);
	for (size_t i = 0; i < process->threads.nr; i++)
		(void)ptrace(PTRACE_INTERRUPT, process->threads.items[i]->tid, 0, 0);
	for (size_t i = 0; i < process->threads.nr; i++)
		bring_out(process, process->threads.items[i]);
	(void)memory_undo(&process->memory);
	for (size_t i = 0; i < process->threads.nr; i++)
		if (process->threads.items[i]->held)
			(void)ptrace(PTRACE_DETACH, process->threads.items[i]->tid, 0,
				     process->threads.items[i]->resume_signal);
}

/* They need their parents' patches to be known. */
static void rescue_children(const struct process *process)
{
	for (size_t i = 0; process->parent && i < process->threads.nr; i++)
		let_child_go(&process->parent->memory, process->threads.items[i]->tid, false);
}

static void rescue_all(void)
{
	struct targets *all = targets;

	for (size_t i = 0; all && i < all->processes.nr; i++)
		rescue_children(all->processes.items[i]);
	for (size_t i = 0; all && i < all->processes.nr; i++)
		if (!all->processes.items[i]->parent)
			rescue(all->processes.items[i]);
}

/* ptrace is the tracing thread's alone. */
static void leave_it_to_the_tracer(int signal)
{
	tgkill(getpid(), tracer, signal);
	for (int i = 0; i < 10000; i++)
		nap();
	_exit(128 + signal);
}

static void on_crash(int signal)
{
	static const char words[] = "memtrace: this is a bug in memtrace; the processes are let go\n";

	if (targets && gettid() != tracer)
		leave_it_to_the_tracer(signal);
	if (!rescuing) {
		rescuing = 1;
		if (write(STDERR_FILENO, words, sizeof(words) - 1) < 0)
			errno = 0; /* nobody is left to be told */
		rescue_all();
	}
	rescue_restore_signals();
	tgkill(getpid(), gettid(), signal);
}

void rescue_prepare(struct targets *of, rescue_original_pc *original)
{
	static uint8_t stack[STACK_BYTES];
	const stack_t alternate = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction action = { .sa_handler = on_crash, .sa_flags = SA_ONSTACK | SA_NODEFER };

	targets = of;
	original_pc = original;
	tracer = gettid();
	sigaltstack(&alternate, NULL);
	for (size_t i = 0; i < NR_CRASHES; i++)
		sigaction(crashes[i], &action, &found[i]);
}

void rescue_forgo(void)
{
	targets = NULL;
}

void rescue_restore_signals(void)
{
	for (size_t i = 0; tracer && i < NR_CRASHES; i++)
		sigaction(crashes[i], &found[i], NULL);
}
