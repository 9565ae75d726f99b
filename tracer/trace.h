/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One invocation of memtrace from the first attach to the last detach: the event loop.
 *
 *     trace_init -> trace_start -> trace_loop -> (reports) -> trace_deinit
 *
 * One thread, which owns every ptrace.  Functions return 0 or -errno and have told the user
 * what went wrong.  Whatever happens, trace_loop() leaves every target as it was found.
 */
#ifndef MEMTRACE_TRACE_H
#define MEMTRACE_TRACE_H

#include "run.h"
#include "switch.h"
#include "target/placement.h"

struct trace {
	const struct options *options;
	struct targets targets;
	struct files files;
	struct namer *namer;		/* of the logs; NULL: there are none */
	struct placement *placement;
	struct memleak_switch memleak;
	struct {
		struct run **items;
		size_t nr, room;
	} runs;
	uint64_t began_ns;
	int tick_ms;
	volatile bool attention;	/* attach_serve() has something to do */
	bool warned;		/* of the time that a process is stopped: pauses.h */
	bool some_ended;	/* a process has, and its run is to be finished */
	uint64_t last_progress_ns, last_allocs;	/* progress line */
	struct overhead_sums last_overhead;	/* likewise */
};

void trace_init(struct trace *trace, const struct options *options,
		struct symbolizer *symbolizer, struct namer *namer);
void trace_deinit(struct trace *trace);

/* Attaches or launches.  -ENOENT and -EACCES: the command could not be run. */
int trace_start(struct trace *trace);

/* Until all targets have ended, the duration is over, or the user ends it; detaches. */
void trace_loop(struct trace *trace);

/* What the logs still have to write: after trace_loop(), as long as logs_close() says. */
void trace_close_logs(struct trace *trace);

/* Of a command that was let go before its end: waits for it, as long as somebody waits for us.  Its
 * wait status. */
int trace_await_command(struct trace *trace);

#endif
