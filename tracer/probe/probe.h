/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where and how the allocator calls of one process are caught.  A probe knows the process's
 * modules, the allocation functions in them and what is patched there.  Two engines make the
 * same events: jump.h, wherever that is safe, and breakpoint.h, whose stops are handled here.
 *
 *     probe_prepare   look at modules, symbols, rules, code; the target may run
 *     probe_arm       patch the functions; all threads held
 *     probe_trap      a thread has stopped with SIGTRAP
 *     probe_look      the loader waits for us: look at the modules
 *     probe_settle    before anything that keeps a thread's pc: a signal, a detach
 *     probe_disarm    all threads held: every byte and every pc as without us
 *     probe_rest      after probe_disarm: nothing is watched until probe_wake
 *     probe_finish    no event comes any more
 *
 * One thread, but for the callbacks of probe_options.  Functions return 0 or -errno.
 */
#ifndef MEMTRACE_PROBE_H
#define MEMTRACE_PROBE_H

#include "../event/sink.h"
#include "../target/process.h"
#include "../unwind/remote.h"
#include "../unwind/walk.h"
#include "../unwind/window.h"
#include "breakpoint.h"
#include "calls.h"
#include "engine.h"
#include "functions.h"
#include "jump.h"

/* Takes the stack of a call from the registers at its function's first instruction. */
struct unwinder {
	const char *name;
	void (*walk)(struct unwinder *unwinder, struct walker *walker, struct remote *remote,
		     const struct memread *stack, const arch_regs *regs, uint32_t depth,
		     struct walk *out);
	void *owner;
};

extern struct unwinder unwinder_rules;		/* and libunwind where they do not suffice */
extern struct unwinder unwinder_libunwind;

struct probe_options {
	uint32_t depth;			/* frames kept of a stack */
	struct unwinder *unwinder;
	enum engine engine;
	bool unstarted;			/* the program's first instruction is still to come */
	/* Mean distance of samples; 0: every call is told.  Breakpoints would stop at every call,
	 * and what one engine draws the other may free: there are jumps only, then. */
	int64_t sample_bytes;
	struct targets *targets;
	uint64_t epoch_ns;		/* clock_ns() of time 0 of the events */
	/* For a log: each event has its caller, and the kernel's number of its thread.  See
	 * event/event.h. */
	bool callers;
	bool free_stacks;		/* those of frees have their whole stacks */
	/* Modules and functions have been looked at again.  In this thread; may be NULL. */
	void (*learned)(void *owner);
	/* Told in this thread, which knows the first taker alone, or in the jump engine's, but
	 * never in both at once: probe_lock(). */
	struct event_sink sink;
	/* This thread is wanted: probe_wants_look().  In another thread. */
	void (*notify)(void *owner);
	void *owner;
};

struct probe_stats {
	uint64_t stops;			/* at entries and returns */
	uint64_t handling_ns;		/* from such a stop's arrival to the thread's going on */
	uint64_t loader_ns;		/* looking at modules that came or went */
	uint64_t walks, frames;		/* stacks taken */
	uint64_t complex_walks;		/* of them, by libunwind for want of a rule */
	uint64_t lost_walks;		/* of them, that ended before the outermost frame */
	uint64_t dropped;		/* events lost before the last probe_rest() */
	uint64_t waited_ns;		/* in the agent before the last probe_rest(): jump_waited_ns() */
	uint64_t missed;		/* calls whose end could not be watched */
	uint64_t unarmed;		/* functions that could not be probed */
	uint64_t unsampled;		/* functions that sampling leaves alone: they may throw */
};

struct probe {
	struct probe_options options;
	struct process *process;
	struct modules modules;
	struct unwind_map map;
	struct functions functions;
	struct breakpoints breakpoints;
	struct probe_stats stats;
	struct remote *remote;		/* made with the first stack */
	struct walker walker;
	struct window window;
	struct walk walk;
	struct jump *jump;		/* NULL: breakpoints only */
	const char *no_jump;		/* why, if another engine was asked for; or NULL */
	const char *told;		/* what was told of that last */
	bool told_unsampled;
	char reason[320];		/* ... where it is a function's */
	uint32_t looking_at;		/* request of the loader that probe_look() serves */
	bool wants_hold;		/* probe_arm() is due */
	bool has_loader;		/* the loader tells of new modules */
	bool slotless;			/* probe_rest() has taken the slots of known modules */
	bool maps_stale;		/* a stack led into memory we do not know */
};

int probe_create(struct process *process, struct files *files,
		 const struct probe_options *options, struct probe **out);
void probe_destroy(struct probe *probe);

int probe_prepare(struct probe *probe);
/* A function that cannot be armed is told of and counted in stats.unarmed.  -ENOTSUP: only the
 * jump engine will do, and it cannot be used, for probe->no_jump.  -EAGAIN: not now, since no thread
 * can run system calls; unless it is the last try, which takes breakpoints then. */
int probe_arm(struct probe *probe, bool last_try);

/* Time 0 of the events is now; before the first probe_arm(). */
void probe_set_epoch(struct probe *probe, uint64_t epoch_ns);

/* A thread is there, or will soon be gone; it is stopped. */
void probe_thread_begins(struct probe *probe, const struct thread *thread);
void probe_thread_ends(struct probe *probe, const struct thread *thread);

/* The target's loader waits for probe_look(), and after that, where it then wants a hold, for
 * probe_arm(), until probe_looked() lets it go on. */
bool probe_wants_look(const struct probe *probe);
void probe_look(struct probe *probe);
void probe_looked(struct probe *probe);

/* Who uses what the events feed; what was recorded before has been told of then. */
void probe_lock(struct probe *probe);
void probe_unlock(struct probe *probe);

/* "jump" where any function is jumped from. */
const char *probe_engine(const struct probe *probe);

/* Number of allocation functions armed. */
size_t probe_nr_armed(const struct probe *probe);

/* False: the trap is the target's own. */
bool probe_trap(struct probe *probe, struct thread *thread);
void probe_settle(struct probe *probe, struct thread *thread);
/* Where a thread that stands in a breakpoint's slot stands in the original code; 0: it does not.
 * Async-signal-safe. */
taddr_t probe_original_pc(const struct probe *probe, taddr_t pc);

/* The thread has hit a breakpoint, but an INTERRUPT of ours overtook it: the SIGTRAP is queued
 * behind the stop at hand.  Were the breakpoint taken away now, it would kill the target. */
bool probe_trap_pending(const struct probe *probe, const struct thread *thread);

/* Modules may have come or gone without the loader's telling; cheap if nothing suggests it. */
void probe_tick(struct probe *probe);

int probe_disarm(struct probe *probe);
/* All threads held, nothing of ours in the target any more; all that was recorded is told of.
 * probe_wake() makes it ready for probe_prepare(). */
void probe_rest(struct probe *probe);
void probe_wake(struct probe *probe);
/* Nothing of ours is mapped any more in a fork child, whose one thread is held. */
void probe_leave_child(const struct probe *probe, struct process *child);
void probe_finish(struct probe *probe);
/* Where in the target our own data is; both 0: nowhere. */
void probe_own_memory(const struct probe *probe, taddr_t *start, taddr_t *end);
/* Of the target's resident set, what we have added to it. */
uint64_t probe_memory_bytes(const struct probe *probe);
/* Events that are known to be lost. */
uint64_t probe_dropped(const struct probe *probe);
/* How long threads have waited in our code, all together. */
uint64_t probe_waited_ns(const struct probe *probe);

#endif
