/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See lines.h. */
#include "lines.h"

#include <stdlib.h>
#include <string.h>

#include "../base/array.h"

void lines_deinit(struct lines *lines)
{
	free(lines->resizes);
	*lines = (struct lines){ .resizes = NULL };
}

static struct line line_of(const struct event *event, enum line_kind kind, taddr_t address)
{
	struct line line = {
		.kind = kind, .time_ns = event->time_ns, .address = address, .size = event->size,
		.function = event->function, .tid = event->kernel_tid,
	};

	line.nr_frames = event->nr_frames < LINE_FRAMES ? (uint8_t)event->nr_frames : LINE_FRAMES;
	if (line.nr_frames)
		memcpy(line.frames, event->stack, line.nr_frames * sizeof(*line.frames));
	return line;
}

/* Until it ends, the tid is what the engine knows the thread by; size has the kernel's. */
static size_t begin_resize(struct lines *lines, const struct event *event, struct line *out)
{
	*out = line_of(event, LINE_RESIZED, event->old_address);
	if (lines->nr == LINES_RESIZES ||
	    array_grow((void **)&lines->resizes, &lines->room, lines->nr, sizeof(*out)))
		return 1;
	out->size = (uint64_t)out->tid;
	out->tid = event->tid;
	lines->resizes[lines->nr++] = *out;
	return 0;
}

static void take_out(struct lines *lines, size_t i, struct line *out)
{
	*out = lines->resizes[i];
	out->tid = (pid_t)out->size;
	out->size = 0;
	lines->resizes[i] = lines->resizes[--lines->nr];
}

/* Ended by this event. */
static bool end_resize(struct lines *lines, const struct event *event, struct line *out)
{
	for (size_t i = lines->nr; i-- > 0;) {
		if (lines->resizes[i].tid != event->tid ||
		    lines->resizes[i].address != event->old_address)
			continue;
		take_out(lines, i, out);
		return true;
	}
	return false;
}

/* Whoever had it, it is another's now. */
static bool end_by_address(struct lines *lines, taddr_t address, struct line *out)
{
	for (size_t i = lines->nr; i-- > 0;) {
		if (lines->resizes[i].address != address)
			continue;
		take_out(lines, i, out);
		return true;
	}
	return false;
}

static size_t on_alloc(struct lines *lines, const struct event *event, struct line *out)
{
	size_t nr = end_by_address(lines, event->address, out);

	if (nr)
		out->time_ns = event->time_ns;
	out[nr] = line_of(event, LINE_ALLOC, event->address);
	return nr + 1;
}

/* The old block was told of already if somebody else has it. */
static size_t on_resize_end(struct lines *lines, const struct event *event, struct line *out)
{
	bool failed = !event->address && event->size;
	size_t nr = end_resize(lines, event, out);

	if (nr)
		out->time_ns = event->time_ns;
	if (nr && failed) {
		out->kind = LINE_KEPT;
		out->size = event->size;
	}
	return event->address ? nr + on_alloc(lines, event, out + nr) : nr;
}

size_t lines_make(struct lines *lines, const struct event *event, struct line out[LINES_MOST])
{
	switch (event->kind) {
	case EVENT_ALLOC:
		return on_alloc(lines, event, out);
	case EVENT_FREE:
	case EVENT_FREE_INSIDE:
		*out = line_of(event, LINE_FREE, event->address);
		return 1;
	case EVENT_RESIZE_BEGIN:
		return begin_resize(lines, event, out);
	case EVENT_RESIZE_END:
		return on_resize_end(lines, event, out);
	case EVENT_RESIZE_LOST:
		(void)end_resize(lines, event, out);
		return 0;
	case EVENT_FAILED:
		*out = line_of(event, LINE_FAILED, 0);
		return 1;
	case EVENT_ALLOC_INSIDE:
		return 0;
	}
	return 0;
}
