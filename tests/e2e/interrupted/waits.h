/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each way to wait: what it needs, the call, and what it waits for.  A table a file. */
#ifndef WAITS_H
#define WAITS_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

#include "truth.h"

#define LONG_S 600

struct wait;

struct way {
	const char *name;
	void (*prepare)(struct wait *wait);	/* may be NULL */
	bool (*call)(struct wait *wait);	/* whether it got what it waited for */
	void (*bring)(struct wait *wait);
};

struct wait {
	const struct way *way;
	pthread_t thread;
	pid_t tid, child;
	int fd[2], other;
	int word;
	void *memory;
	volatile int ended, good, error;
};

static const struct timespec long_time = { .tv_sec = LONG_S };

/* Ended by one without a name. */
extern const struct way pipes_ways[], sockets_ways[], queues_ways[], locks_ways[], events_ways[];

/* This cannot be had here; errno says why. */
void skip(struct wait *wait);

/* A pipe, or anything else with two ends: fd[0] is read, fd[1] written. */
void pipe_prepare(struct wait *wait);
void pipe_bring(struct wait *wait);
bool pipe_read(struct wait *wait);
bool pipe_readv(struct wait *wait);
bool pipe_write(struct wait *wait);
bool pipe_sendfile(struct wait *wait);

#endif
