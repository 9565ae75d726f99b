/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where and how the allocator calls of one process are caught.  A probe knows the process's
 * modules, the allocation functions in them and what is patched there; it turns stops into
 * events.  The break engine is the one that is there (breakpoint.h); an engine that needs no
 * stop feeds the same events.
 *
 *     probe_prepare   look at modules, symbols, rules, code; the target may run
 *     probe_arm       write the breakpoints; all threads held, or none has run yet
 *     probe_trap      a thread has stopped with SIGTRAP
 *     probe_settle    before anything that keeps a thread's pc: a signal, a detach
 *     probe_disarm    all threads held: every byte and every pc as without us
 *
 * One thread.  Functions return 0 or -errno.
 */
#ifndef MEMTRACE_PROBE_H
#define MEMTRACE_PROBE_H

#include "../event/event.h"
#include "../target/process.h"
#include "../unwind/remote.h"
#include "../unwind/walk.h"
#include "../unwind/window.h"
#include "breakpoint.h"
#include "calls.h"
#include "functions.h"

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
	uint64_t epoch_ns;		/* clock_ns() of time 0 of the events */
	void (*event)(void *consumer, const struct event *event);
	void *consumer;
};

struct probe_stats {
	uint64_t stops;			/* at entries and returns */
	uint64_t handling_ns;		/* from such a stop's arrival to the thread's going on */
	uint64_t loader_ns;		/* looking at modules that came or went */
	uint64_t walks, frames;		/* stacks taken */
	uint64_t complex_walks;		/* of them, by libunwind for want of a rule */
	uint64_t lost_walks;		/* of them, that ended before the outermost frame */
	uint64_t missed;		/* calls whose end could not be watched */
	uint64_t unarmed;		/* functions that could not be probed */
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
	bool has_loader;		/* the loader tells of new modules */
	bool maps_stale;		/* a stack led into memory we do not know */
};

int probe_create(struct process *process, struct files *files,
		 const struct probe_options *options, struct probe **out);
void probe_destroy(struct probe *probe);

int probe_prepare(struct probe *probe);
/* A function that cannot be armed is told of and counted in stats.unarmed. */
void probe_arm(struct probe *probe);

/* Number of allocation functions armed. */
size_t probe_nr_armed(const struct probe *probe);

/* False: the trap is the target's own. */
bool probe_trap(struct probe *probe, struct thread *thread);
void probe_settle(struct probe *probe, struct thread *thread);

/* The thread has hit a breakpoint, but an INTERRUPT of ours overtook it: the SIGTRAP is queued
 * behind the stop at hand.  Were the breakpoint taken away now, it would kill the target. */
bool probe_trap_pending(const struct probe *probe, const struct thread *thread);

/* Modules may have come or gone without the loader's telling; cheap if nothing suggests it. */
void probe_tick(struct probe *probe);

int probe_disarm(struct probe *probe);

#endif
