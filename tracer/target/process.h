/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The processes traced and their threads: seize, launch, hold, resume, detach.
 *
 * Every thread is seized (PTRACE_SEIZE), so that nothing is ever sent a signal.  A stop comes
 * out of targets_next(); whoever handles it ends with thread_resume().  While a process is
 * *held* thread_resume() keeps the thread where it is instead, so that one and the same
 * handling of stops serves a running process and one that is being brought to a halt:
 *
 *     process_hold() -> targets_next(), handle ... until process_all_held() -> patch ->
 *     process_release()
 *
 * One thread: ptrace ties a tracee to the thread that seized it.
 * Ownership: targets owns processes, processes own threads.  A thread's record ends with the
 * stop that says it is gone (thread_forget), a process's with process_destroy().
 * Functions return 0 or -errno; ESRCH means "that thread is gone" and is an outcome.
 */
#ifndef MEMTRACE_TARGET_PROCESS_H
#define MEMTRACE_TARGET_PROCESS_H

#include <sys/types.h>

#include "../arch/arch.h"
#include "memory.h"
#include "standstill.h"
#include "stop.h"

struct calls;

struct thread {
	pid_t tid;
	struct process *process;	/* NULL: stopped before its creator told of it */
	bool stopped;			/* in a ptrace stop */
	enum stop_kind stopped_by;	/* ... of this kind */
	bool held;			/* stopped, handled, and kept so by process_hold() */
	bool begun;			/* told of to the probe */
	bool exiting;			/* past its last user code; may linger as a zombie leader */
	bool group_stopped;		/* resumes with PTRACE_LISTEN */
	bool leaving;			/* to be let go at its next stop */
	bool guest;			/* a process of its own that shares the memory (vfork) */
	bool calls_watched;		/* stops at each system call: such a one, see exec.h */
	int resume_signal;		/* to be delivered when it is let go */
	int first_status;		/* while process is NULL */
	uint64_t stray_since_ns;	/* likewise */
	struct calls *calls;		/* the probe's: calls under way */
	uint64_t stopped_ns;		/* clock_ns() of its stop; 0: that does not count */
	uint64_t resumed_ns;		/* likewise of the end of the last one */
	pid_t parked_for;		/* thread_parks() */
	taddr_t parked_sp, parked_pc;	/* likewise */
	bool to_be_measured, measured;	/* thread_measure_switch(); what it found is in: */
	struct standstill_switch last_switch;
	struct thread *next;
};

struct process {
	pid_t pid;
	struct memory memory;
	struct {
		struct thread **items;
		size_t nr, room;
	} threads;
	bool holding;
	bool launched;		/* our child */
	struct standstill standstill;
	struct process *parent;	/* this is a fork child that still has its parent's patches */
	bool clean;		/* ... had: they are gone */
	bool hidden;		/* not dumpable from its beginning, and we may not look: access.h */
	void *run;		/* the owner's */
	bool ended;		/* no thread is left, guests included */
	/* STOP_EXITED or STOP_KILLED once no thread of its own is left. */
	enum stop_kind end;
	int end_value;
};

struct stop {
	enum stop_kind kind;
	struct thread *thread;		/* NULL for NONE and NOBODY */
	int value;
	unsigned long message;		/* of CLONE, FORK, VFORK, EXEC */
};

#define TARGETS_QUEUE 64
#define TARGETS_BUCKETS 1024
#define TARGETS_GONE 64

struct targets {
	struct {
		struct process **items;
		size_t nr, room;
	} processes;
	struct thread *buckets[TARGETS_BUCKETS];
	size_t nr_threads;
	/* Statuses taken and not handled yet: all that are ready are taken at once, since the
	 * kernel would otherwise serve the first thread for ever. */
	struct {
		pid_t tid;
		int status;
	} queue[TARGETS_QUEUE];
	unsigned queue_first, queue_nr;
	uint64_t queue_ns;	/* clock_ns() when the first of them was taken */
	pid_t peeked;		/* the last stop that was looked at, not taken */
	/* The last that ended before their creator's event was handled: claimed no more. */
	pid_t gone[TARGETS_GONE];
	unsigned nr_gone;
	bool capable;		/* we have CAP_SYS_PTRACE */
};

void targets_init(struct targets *targets);
void targets_deinit(struct targets *targets);

/* A record only; nothing is done to the process yet. */
int process_create(struct targets *targets, pid_t pid, struct process **out);
void process_destroy(struct targets *targets, struct process *process);
/* By memory.tid, unless it is open already. */
int process_open_memory(struct process *process);

/* Seizes all threads; they go on running.  May be called again to find threads that came
 * meanwhile.  *added (may be NULL) grows by the new ones.  -EAGAIN, here and below: an exec is
 * under way that may wait for us; handle stops, and call it again. */
int process_seize(struct targets *targets, struct process *process, size_t *added);

/* Seizes what was made by vfork or clone(CLONE_VM) before we came and still runs in this memory.
 * They become guests.  *added as above. */
int process_seize_guests(struct targets *targets, struct process *process, size_t *added);
/* The same of those that are nobody's child here: looks at every process of the machine, which
 * takes a while, so before anything is held. */
int process_seize_strangers(struct targets *targets, struct process *process);

/* Starts argv and leaves its only thread stopped at its exec, before the first instruction.
 * before_exec() runs in the child.  -ENOENT, -EACCES... : the command could not be run. */
int process_launch(struct targets *targets, char *const *argv, void (*before_exec)(void),
		   struct process **out);

/* Waits for one stop.  Returns STOP_NONE when a signal interrupts it. */
void targets_next(struct targets *targets, struct stop *out);

/* A status that somebody else has waited for: it comes out of targets_next() first. */
void targets_put_back(struct targets *targets, pid_t tid, int status);

/* A thread that an event told of: it belongs to this process from now on.  -ESRCH: it has
 * ended already. */
int process_claim(struct targets *targets, struct process *process, pid_t tid,
		  struct thread **out);
/* The first thread that stopped and that no event has told of; NULL if there is none. */
struct thread *targets_unclaimed(struct targets *targets);
/* The event that tells of this thread has not come yet; when it does, it is to be claimed no more. */
void targets_note_claimed(struct targets *targets, pid_t tid);
struct thread *targets_find(struct targets *targets, pid_t tid);

void thread_resume(struct thread *thread, int signal);
/* Lets it run in spite of a hold; it is expected to stop again by itself. */
void thread_push_on(struct thread *thread);
/* Lets it go for good and forgets it. */
void thread_detach(struct targets *targets, struct thread *thread, int signal);
void thread_forget(struct targets *targets, struct thread *thread);
/* In a stop of our INTERRUPT: where that made a system call return EINTR, and no signal does,
 * it begins anew. */
void thread_restart_call(const struct thread *thread);
/* In its last stop: the signal that ends it; 0: none does, or it is not known. */
int thread_ending_signal(const struct thread *thread);
/* It is about to exit: it will not run user code again, nor serve as a way to the memory. */
void thread_exiting(struct thread *thread);
/* What the switches of its next stop take is to be measured: it is in a stop now, and will do
 * nearly nothing before the next one.  There, whether that is so can be told; if so, it counts. */
void thread_measure_switch(struct thread *thread);
void thread_switch_measured(struct thread *thread);
/* Stopped in the event that tells of its vfork child, a guest, for which it will wait in the kernel:
 * of one that is not dumpable that cannot be seen any more when it does. */
void thread_parks(struct thread *thread, pid_t child);
/* Where it waits in the kernel, for that or anything else; false: unknown. */
bool thread_parked_at(const struct thread *thread, taddr_t *sp, taddr_t *pc);
/* Until one that an event has told of has come to its first stop, which targets_next() will still
 * tell.  False: it ends. */
bool thread_await_first_stop(struct targets *targets, struct thread *thread);
/* All threads but one are gone: an exec. */
void process_forget_others(struct targets *targets, struct process *process, pid_t tid);
/* 1: they share their memory; 0: they do not; -errno: the kernel cannot tell. */
int process_shares_memory(pid_t a, pid_t b);

/* It is a process of its own in its process's memory. */
void thread_be_guest(struct targets *targets, struct thread *thread);
/* Moves a guest that got memory of its own to its own process. */
void thread_move(struct thread *thread, struct process *process);

int thread_get_regs(const struct thread *thread, arch_regs *regs);
int thread_set_regs(const struct thread *thread, const arch_regs *regs);
int thread_set_pc(const struct thread *thread, taddr_t pc);
/* The SIGTRAP at hand was raised by the processor (int3), not sent by anybody. */
bool thread_trap_is_breakpoint(const struct thread *thread);
/* It stands inside a restartable sequence, whose end the kernel would see to. */
bool thread_in_rseq(const struct thread *thread);
/* Lets system calls of this thread past its seccomp filters; takes CAP_SYS_ADMIN. */
int thread_suspend_seccomp(const struct thread *thread, bool suspend);
/* A SIGTRAP is queued behind the stop at hand. */
bool thread_trap_pending(const struct thread *thread);

void process_hold(struct process *process);
/* Asks those that still run once more; for use from time to time while waiting. */
void process_hold_again(struct process *process);
/* True also where those that are missing wait in the kernel for a vfork child and cannot
 * reach user code unseen. */
bool process_all_held(const struct process *process, bool accept_parked);
void process_release(struct process *process);
/* From now on stops count in process->standstill: those at hand with what is to come of them. */
void process_count_stops(struct process *process);
/* Processor time of all its threads, those that have ended included; 0 if unknown. */
uint64_t process_cpu_ns(const struct process *process);
/* Lets every thread go that is held; any other one is marked as leaving. */
void process_detach(struct targets *targets, struct process *process);

#endif
