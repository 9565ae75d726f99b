/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From events to lines.  A realloc's old block may be handed to another thread before the call
 * is seen to end: then the line that it is gone comes before the one of the new owner, so that
 * the lines of one address always make sense one after the other.
 *
 * One thread at a time.
 */
#ifndef MEMTRACE_STREAM_LINES_H
#define MEMTRACE_STREAM_LINES_H

#include "../event/event.h"
#include "line.h"

#define LINES_RESIZES 4096	/* threads that are in a realloc at once; more are told early */
#define LINES_MOST 3		/* that one event makes */

struct lines {
	struct line *resizes;	/* begun and not ended; kind RESIZED; tid: the engine's */
	size_t nr, room;
};

void lines_deinit(struct lines *lines);

/* How many lines the event makes, in out; image is left to the caller. */
size_t lines_make(struct lines *lines, const struct event *event, struct line out[LINES_MOST]);

#endif
