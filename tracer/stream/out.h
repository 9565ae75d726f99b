/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where lines go: a file, a pipe, a terminal.  Any of them may be full, closed, or read by
 * nobody.  A write may wait for ever; whoever wants the thread back sets giving_up and sends it
 * SIGURG until it comes.
 *
 * One thread, but for giving_up.
 */
#ifndef MEMTRACE_STREAM_OUT_H
#define MEMTRACE_STREAM_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct out {
	int fd;			/* -1: a FIFO that nobody has opened yet, by path */
	char *path;		/* NULL: a standard stream */
	bool is_file;		/* else lines are written in pieces that nothing comes between */
	bool cut;		/* the last line was not written to its end */
	bool closed;		/* nobody can read it any more */
	int error;		/* why something could not be written at last */
	volatile bool giving_up;
};

/* Replaces a file, in the way of fopen("w"); path == NULL: a copy of `standard`.  0 or -errno. */
int out_open(struct out *out, const char *path, int standard);
void out_close(struct out *out);

/* Waits for a reader of a FIFO; in the thread that writes. */
void out_await(struct out *out);

/* Whole lines.  How many of them were not written. */
uint64_t out_write(struct out *out, const char *text, size_t bytes);

/* Back to its beginning; nothing where that cannot be. */
void out_renew(struct out *out);

#endif
