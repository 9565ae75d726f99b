/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line and the file of options as one struct, constant once parsed.  Strings belong
 * to argv, or to the struct.  Parsing prints its own errors, with the remedy.
 */
#ifndef MEMTRACE_OPTIONS_H
#define MEMTRACE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/message.h"
#include "probe/engine.h"
#include "report/report.h"
#include "stream/format.h"

struct unwinder;

#define OPTIONS_MAX 64		/* of each option that may be given several times */

/* One of the two: a report at the end, or a log while it runs. */
struct option_format {
	const struct report_format *format;
	const struct stream_format *stream;
	const char *file;	/* NULL: where the report goes */
};

/* valgrind's words. */
enum leak_check {
	LEAK_CHECK_NO,		/* nothing is looked at: blocks are unfreed, and that is all */
	LEAK_CHECK_SUMMARY,	/* the sums alone are told */
	LEAK_CHECK_FULL,
};

struct option_function {
	const char *name;	/* name_bytes of it */
	size_t name_bytes;
	bool is_free;
	unsigned argument;	/* from 1: the size, 0: there is none; or the pointer */
};

static inline const char *option_format_name(const struct option_format *format)
{
	return format->stream ? format->stream->name : format->format->name;
}

struct options {
	pid_t pids[OPTIONS_MAX];
	size_t nr_pids;
	char *const *command;		/* NULL: attach to pids */
	uint64_t duration_ns;		/* 0: until it ends or somebody ends it */
	bool scan;			/* one look at the processes, and nothing is traced */
	const char *resolve;		/* a report to be finished; NULL: none */
	const char *output;		/* NULL: standard output or standard error */
	struct option_format formats[OPTIONS_MAX];
	size_t nr_formats;
	const char *debug_dirs[OPTIONS_MAX];
	size_t nr_debug_dirs;
	struct option_function functions[OPTIONS_MAX];	/* --alloc and --free */
	size_t nr_functions;
	enum engine engine;
	bool follow_forks;
	bool stats;
	bool log;			/* every call as it happens */
	const char *log_file;		/* NULL: standard error */
	size_t top;
	uint32_t depth;
	uint32_t overhead_ppm;		/* the most; 0: no limit */
	bool free_stacks;		/* frees keep their stacks, too */
	enum leak_check leak_check;
	unsigned heuristics;		/* INSIDE_* of scan/inside.h */
	unsigned kinds_shown;		/* bits 1 << enum site_kind */
	unsigned kinds_counted;		/* likewise: as errors */
	int error_exitcode;		/* where there are any; 0: they do not matter */
	uint64_t sample_bytes;		/* mean distance of samples; 0: every call counts */
	struct unwinder *unwinder;
	enum message_level level;
	bool memleak;			/* false: nothing is watched at first */
	const char *config;		/* the file; NULL: none.  It need not be there */
	char *config_text;		/* what was in it; NULL: it is not there */
	struct {
		char **items;		/* what came from it */
		size_t nr, room;
	} owned;
};

enum options_result {
	OPTIONS_RUN,
	OPTIONS_DONE,		/* --help or --version was all that was wanted */
	OPTIONS_WRONG,		/* told already */
};

enum options_result options_parse(struct options *options, int argc, char **argv);
/* Whether every call is to be told of as it happens. */
bool options_want_log(const struct options *options);
/* Whatever that said. */
void options_release(struct options *options);

#endif
