/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The look at what a run's process can still come to: when it is let go, and before it ends.
 *
 *     leakcheck_prepare()      it still runs       |  leakcheck_thread_exits()  of each thread; with
 *     leakcheck_take()         it stands           |                            the last one a copy
 *                              it goes on          |                            is taken
 *     leakcheck_begin()        its blocks are known: a thread of ours begins to work on the copy
 *     leakcheck_await()        until that is done, and the copy is given back
 *
 * Nothing is done to the process.  The tracer's thread.  Whatever fails is told in the facts, not
 * returned: no report fails for that.
 */
#ifndef MEMTRACE_LEAKCHECK_H
#define MEMTRACE_LEAKCHECK_H

#include "options.h"
#include "probe/probe.h"
#include "report/run_facts.h"
#include "scan/quiet.h"
#include "scan/scan.h"

struct leakcheck {
	const struct options *options;
	struct snapshot snapshot;
	struct quiet quiet;
	struct scan scan;
	const struct ledger *ledger;
	struct run_scan *facts;
	bool has_scan;			/* after leakcheck_await() */
	bool works;
	int error;			/* of the work */
	pthread_t worker;
};

/* facts outlive it. */
void leakcheck_init(struct leakcheck *check, const struct options *options,
		    struct run_scan *facts);
void leakcheck_deinit(struct leakcheck *check);

void leakcheck_prepare(struct leakcheck *check, const struct process *process,
		       const struct probe *probe);
/* It stands: whether the copy should wait, since a thread is at work in the heap. */
bool leakcheck_should_wait(const struct leakcheck *check, const struct process *process);
void leakcheck_take(struct leakcheck *check, const struct process *process);

/* It is in its last stop. */
void leakcheck_thread_exits(struct leakcheck *check, const struct thread *thread,
			    const struct probe *probe);

/* An exec: what was kept is of the program before. */
void leakcheck_forget(struct leakcheck *check);

/* The ledger must not change until leakcheck_await(). */
void leakcheck_begin(struct leakcheck *check, const struct ledger *ledger);
/* NULL: there is none, for the facts' reason. */
const struct scan *leakcheck_await(struct leakcheck *check);

#endif
