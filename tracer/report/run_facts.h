/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a run was, as far as a report tells it: filled in by trace, read by the reports.
 * Strings belong to the run and outlive the report; those that came from the target may hold
 * any byte and are made inert by whoever prints them.
 */
#ifndef MEMTRACE_REPORT_RUN_FACTS_H
#define MEMTRACE_REPORT_RUN_FACTS_H

#include <sys/types.h>
#include <time.h>

#include "../../symbolizer/symbolizer.h"
#include "../base/types.h"

enum run_end {
	RUN_DETACHED,		/* the process runs on */
	RUN_EXITED,		/* code */
	RUN_KILLED,		/* signal */
	RUN_LOST,		/* it ended, nobody knows how */
};

struct run_function {
	const char *name;	/* "malloc", "operator new" */
	const char *module;	/* path */
	const char *engine;		/* NULL: known, but not traced at the end */
	bool is_named;			/* by the user: what it does with its blocks is not known */
	bool of_program;		/* it is in the program itself */
};

/* A module that was seen, whether or not it is still there.  modules[i] has id i + 1, as in
 * code_module(). */
struct run_module {
	const char *path;
	uint64_t bias;		/* vaddr + bias = address in the target */
	taddr_t start, end;	/* of its code, while it was there */
	uint32_t symbolizer_id;
	bool known;		/* symbolizer_id is valid */
	const uint8_t *build_id;
	size_t build_id_bytes;	/* 0: none, or not known */
	bool lacked_debug_info;	/* of a report that was read: it said so */
};

/* A time in which nothing was watched, and why. */
enum run_gap_reason {
	GAP_SWITCH,		/* memleak = 0 */
	GAP_OVERHEAD,		/* --overhead */
};

struct run_gap {
	uint64_t from_ns, to_ns;
	enum run_gap_reason reason;
};

/* Sums over the threads: overhead.h. */
struct run_overhead {
	uint64_t stopped_ns, ran_ns;
	uint32_t share_ppm;
	uint32_t limit_ppm;		/* 0: none was given */
	uint64_t pauses, paused_ns;	/* so as not to be beyond it */
};

/* The look at what the process could still come to. */
struct run_scan {
	bool is_wanted, done;
	bool is_all;			/* --scan: nothing was traced */
	const char *why_not;		/* where it was wanted and is not done */
	uint64_t pause_ns;		/* for which the process stood for it */
	uint64_t bytes;			/* copied */
	uint64_t scanned_bytes;		/* looked at for pointers */
	uint64_t duration_ns;		/* of that, beside the process */
	uint64_t threads, roots;
	/* Of the C library's heap: */
	uint64_t arenas;		/* found; 0: that allocator is not used */
	bool walked;			/* blocks from before the attach are known */
	const char *walk_stopped;	/* why not; NULL: there is none of that allocator */
	uint64_t unjudged_blocks;	/* that were seen allocated, and of which nothing can be said */
};

struct run_facts {
	pid_t pid;
	char *const *command;		/* NULL terminated */
	const char *exe;
	const char *name;		/* short, for messages: base name of the program */
	bool launched;
	uint32_t runtimes;		/* enum elf_runtime, as far as they are used */
	unsigned execs;
	enum run_end end;		/* RUN_DETACHED also where the end was not watched */
	int end_value;			/* exit code or signal */

	const char *engine;		/* "break" */
	uint64_t sample_bytes;		/* mean distance of samples; 0: every call was told */
	uint64_t unsampled;		/* functions that sampling has to leave alone */
	struct timespec started;	/* CLOCK_REALTIME, at the attach */
	uint64_t duration_ns;		/* up to the last instant that was watched */
	uint64_t attach_pause_ns, detach_pause_ns;
	const struct run_gap *gaps;	/* in between */
	size_t nr_gaps;
	bool ended_unwatched;		/* nothing was watched after the duration: */
	struct run_gap last_gap;	/* ... from there to the end of the run */
	struct run_overhead overhead;
	uint64_t stops;			/* breakpoint stops */
	uint64_t handled_ns;		/* what we took to handle them */
	uint64_t dropped;		/* events known to be lost by the engine */
	bool free_stacks;		/* those of frees were kept */
	/* Every function that makes blocks is known: the C library's allocator, or jemalloc. */
	bool knows_allocators;
	bool found_late;		/* some were known only after they could be called */
	const char *incomplete;		/* why nothing may be concluded; NULL if nothing is amiss */

	const struct run_function *functions;
	size_t nr_functions;
	const struct run_module *modules;
	size_t nr_modules;

	uint64_t rss_start_bytes, rss_end_bytes;
	struct run_scan scan;
};

#endif
