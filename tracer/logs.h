/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The logs of one run: --log and --format mtrace, each a stream (stream/stream.h) that takes what
 * the heap takes.  Without one of them all of this is zeros and does nothing.
 *
 * The tracing thread, but for logs_event(): that of the taker.
 */
#ifndef MEMTRACE_LOGS_H
#define MEMTRACE_LOGS_H

#include "heap/heap.h"
#include "options.h"
#include "probe/probe.h"
#include "report/run_facts.h"
#include "stream/stream.h"

#define LOGS_MAX (OPTIONS_MAX + 1)

struct logs {
	struct namer *namer;		/* the trace's */
	struct image *image;
	struct stream *streams[LOGS_MAX];
	size_t nr;
};

/* 0 or -errno, told already. */
int logs_open(struct logs *logs, const struct options *options, struct namer *namer,
	      const struct run_facts *facts);

/* What was found since the last time. */
void logs_learn(struct logs *logs, const struct probe *probe);

/* Of the heap that was just told of it, in its lock; unknown: see stream_event(). */
void logs_event(struct logs *logs, const struct heap *heap, const struct event *event,
		bool unknown);

/* While no event comes. */
void logs_rest(struct logs *logs, uint64_t now_ns, enum run_gap_reason reason);
void logs_wake(struct logs *logs, uint64_t now_ns, enum run_gap_reason reason);
void logs_restart(struct logs *logs, uint64_t now_ns);

/* No event comes any more, the facts are complete. */
void logs_end(struct logs *logs, const struct run_facts *facts, const struct heap *heap);

/* All processes have been let go: waits for what is still to be written, and tells of what could
 * not be.  In a hurry the rest is left out; where the user has asked for the end, no reader
 * holds it up for long. */
void logs_close(struct logs *logs, const struct run_facts *facts);
void logs_destroy(struct logs *logs);

#endif
