/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A log of every call of one process, written as it happens: a second consumer of events, beside
 * the heap.
 *
 *     stream_event --> queue --> a thread of its own --> words --> file
 *
 * Who has an event copies it and goes on.  A reader that is slow, or gone, or halted, costs lines
 * and nothing else: what does not fit into the queue is counted, never waited for.  Lines come in
 * the order of the events, but for those of a realloc (lines.h).
 */
#ifndef MEMTRACE_STREAM_H
#define MEMTRACE_STREAM_H

#include "../event/event.h"
#include "format.h"

struct stream;

struct stream_options {
	const struct stream_format *format;
	struct stream_style style;	/* style.name: a copy is taken */
	const char *path;		/* NULL: the standard stream */
	int standard;
	struct image *image;		/* outlives the stream */
};

/* The file is there then, or can be.  0 or -errno. */
int stream_create(const struct stream_options *options, struct stream **out);

/* One thread at a time.  unknown: it frees a block that was not seen allocated. */
void stream_event(struct stream *stream, const struct event *event, bool unknown);

/* Something else that ends up between the lines; while nobody is in stream_event(). */
void stream_note(struct stream *stream, enum line_kind kind, uint64_t time_ns);

/* No event comes any more.  The rest is still written; `totals` are for the end, and all but
 * `lost` is given. */
void stream_end(struct stream *stream, const char *name, const struct stream_totals *totals);

/* Waits until all is written, as long as it goes on being written: at most patience_ns without a
 * line, and 5 times that in all if it is `bounded`.  How many lines were not; *error says why, as
 * an errno (0: they came too fast), ETIMEDOUT: nobody took them. */
uint64_t stream_close(struct stream *stream, uint64_t patience_ns, bool bounded, int *error);

/* What is not written by then is not. */
void stream_destroy(struct stream *stream);

#endif
