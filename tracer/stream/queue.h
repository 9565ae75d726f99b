/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bounded queue of lines from one thread to another, without a lock: one may put while the
 * other takes.  Which threads those are may change, if somebody else orders it.  What does not
 * fit is counted: who puts never waits.
 */
#ifndef MEMTRACE_STREAM_QUEUE_H
#define MEMTRACE_STREAM_QUEUE_H

#include "line.h"

struct queue {
	struct line *lines;
	size_t room;			/* a power of two */
	size_t put __attribute__((aligned(64)));	/* these count up for ever */
	uint64_t lost;
	size_t taken __attribute__((aligned(64)));
};

/* 0 or -ENOMEM; memory is taken up as lines come. */
int queue_init(struct queue *queue, size_t room);
void queue_deinit(struct queue *queue);

/* Any other thread may ask. */
size_t queue_length(const struct queue *queue);
uint64_t queue_lost(const struct queue *queue);

/* By who puts. */
void queue_put(struct queue *queue, const struct line *line);

/* By who takes: the oldest line, which stays until queue_drop(); NULL: there is none. */
const struct line *queue_first(const struct queue *queue);
void queue_drop(struct queue *queue);

#endif
