/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the reports go: each run in each format asked for, to a file of its own, a shared
 * file, or a standard stream.  One thread.  Functions return 0 or -errno, told already.
 */
#ifndef MEMTRACE_OUTPUT_H
#define MEMTRACE_OUTPUT_H

#include "trace.h"

struct output {
	const struct options *options;
	bool several;			/* each report's file has its pid in the name */
	bool one_line;			/* json: one document a line */
};

int output_model(const struct model *model, const struct output *output);

/* Of all runs together. */
struct output_errors {
	uint64_t nr;
	pid_t in_doubt;			/* the first process that may have more; 0: none */
	char doubt[256];		/* why */
};

/* Names are resolved unless symbolizer is NULL. */
int output_reports(const struct trace *trace, struct symbolizer *symbolizer,
		   struct output_errors *errors);

#endif
