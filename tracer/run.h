/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One process traced, from the first look to the facts for its report: joins its target, its
 * probe and its heap.  One thread.  Functions return 0 or -errno.
 */
#ifndef MEMTRACE_RUN_H
#define MEMTRACE_RUN_H

#include <pthread.h>

#include "brake.h"
#include "heap/heap.h"
#include "leakcheck.h"
#include "logs.h"
#include "options.h"
#include "overhead.h"
#include "probe/probe.h"
#include "report/run_facts.h"
#include "target/files.h"
#include "target/process.h"

struct run {
	const struct options *options;
	struct targets *targets;
	struct files *files;
	struct process *process;
	struct probe *probe;		/* NULL: it could not be made */
	struct heap heaps[EVENT_TAKERS]; /* each of addresses of its own; [0]: at the end, of all */
	unsigned nr_heaps;
	struct logs logs;
	uint64_t epoch_ns;		/* clock_ns() at the attach */
	struct overhead overhead;
	struct brake brake;
	bool unbraked;			/* it is not to be used again: a thread would not stop, or memory
					 * of ours would stay mapped each time */
	struct probe_stats past;	/* of the images before the last exec; at the end, of all */
	bool begun;
	bool unstarted;			/* it stands before the first instruction of its program */
	bool watching;			/* false: nothing is patched */
	bool was_watched;		/* at any time, since the last exec */
	uint64_t rested_ns;		/* where it is not: since then; of the run */
	enum run_gap_reason resting_for;	/* ... and why */
	bool is_32_bit;			/* nothing of it can be traced */
	bool lacks_pymalloc;		/* its environment says so */
	bool wants_arm;			/* not armed yet: a launch or an exec; attach_arm() */
	bool over;
	volatile bool *attention;	/* the trace's */
	pthread_t tracer;		/* the thread that traces */
	struct run_facts facts;
	struct leakcheck leakcheck;
	char *exe, *comm, **command;
	struct run_function *functions;
	struct run_module *modules;
	struct {
		struct run_gap *items;
		size_t nr, room;
	} gaps;
};

/* The process is known to targets and nothing has been done to it; the run is its owner.
 * *attention is set when attach_serve() has something to do. */
int run_create(const struct options *options, struct targets *targets, struct files *files,
	       volatile bool *attention, struct process *process, struct run **out);
void run_destroy(struct run *run);

/* Before run_open(): where every call is to be told of at once.  0 or -errno, told already. */
int run_open_logs(struct run *run, struct namer *namer);

/* Likewise: the program runs already, so that not all of its blocks will be seen allocated, and
 * perhaps calls are under way. */
void run_begin_late(struct run *run, bool has_calls);

/* Opens memory and looks at modules, while the target runs or, as run->unstarted says, before its
 * first instruction. */
int run_open(struct run *run);

/* After run_open(): why nothing of it will ever be traced; NULL: something is, or may be loaded. */
const char *run_why_nothing(const struct run *run);

/* All threads held: patches the functions, if they are to be watched.  -ENOTSUP: see probe_arm(). */
int run_arm(struct run *run, bool last_try);

/* Nothing is to be watched, or all again.  run_rest(): all threads held, nothing of ours in the
 * target any more.  run_wake(): to be armed as soon as it is held. */
void run_rest(struct run *run, enum run_gap_reason reason);
int run_wake(struct run *run);
/* The user does not want it watched either: it is not for the brake any more to wake it. */
void run_leave_to_switch(struct run *run);

/* An exec: new memory, new modules, an empty map; to be armed as soon as it is held. */
int run_restart(struct run *run);

/* The process's memory as it is now, without what is ours. */
void run_note_memory(struct run *run);

/* The process's blocks will be looked at when it is let go: while it still runs, and when nothing of
 * ours is in it any more and it stands. */
void run_prepare_scan(struct run *run);
void run_take_scan(struct run *run);
/* Between the two, where it stands: better somewhat later. */
bool run_scan_should_wait(const struct run *run);
/* In the last stop of a thread. */
void run_thread_exits(struct run *run, const struct thread *thread);

/* After run_finish(): what became of its blocks; NULL: it is not known, for facts.scan.why_not. */
const struct scan *run_await_scan(struct run *run);

/* What the trace has cost the process up to now. */
void run_measure(struct run *run);

/* Now and then. */
void run_tick(struct run *run, uint64_t now_ns);

/* After run_finish(), when nobody waits for this thread: see logs_close(). */
void run_close_logs(struct run *run);

/* The process has ended or been let go: completes the facts.  After it the process may be
 * destroyed; the run stays valid for the report. */
int run_finish(struct run *run);

#endif
