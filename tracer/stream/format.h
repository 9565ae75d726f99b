/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From lines to text.  A format is a row of operations:
 *
 *     log      [caller]malloc --> addr: 0x..., size: 10, for people; the counts at the end
 *     mtrace   what mtrace(3) of glibc writes, for its script mtrace
 *
 * Each adds whole lines, or nothing.  Nothing that comes from the target gets there but through
 * inert(), or a check that it cannot do harm.  Pure; any thread.
 */
#ifndef MEMTRACE_STREAM_FORMAT_H
#define MEMTRACE_STREAM_FORMAT_H

#include "image.h"
#include "words.h"

struct stream_totals {
	uint64_t time_ns;
	uint64_t allocs, frees, bytes_allocated, live_blocks, live_bytes;
	uint64_t failed, unknown_frees;
	uint64_t lost;		/* lines not written */
	uint64_t dropped;	/* calls that were not seen */
};

struct stream_style {
	const char *name;	/* of the process */
	pid_t pid;
	bool several;		/* processes in one run: lines tell the pid, too */
};

struct stream_format {
	const char *name;
	bool renews;		/* after an exec it is as if it began anew */
	void (*begin)(struct words *words);
	void (*line)(struct words *words, const struct line *line, const struct image_site *site,
		     const struct stream_style *style);
	void (*end)(struct words *words, const struct stream_totals *totals,
		    const struct stream_style *style);
};

extern const struct stream_format stream_log, stream_mtrace;

#endif
