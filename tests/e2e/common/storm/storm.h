/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storm: sixteen threads, each of which does one thing for ever and checks its results.
 *
 * Who handles signals takes memory from an allocator that may be interrupted (arena.c, loaded
 * by dlopen); all others block all signals, so that EINTR would be the tracer's doing.
 */
#ifndef STORM_H
#define STORM_H

#include <stdbool.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include "timer.h"
#include "truth.h"

struct role {
	void (*begin)(struct role *self);	/* may be NULL */
	void (*step)(struct role *self);	/* at most some 50 ms of work */
	volatile unsigned long steps;
	volatile unsigned long handled;		/* signals */
	void *data;
	unsigned random;
	pthread_t thread;
};

/* The allocator for handlers; known before any role begins. */
extern void *(*arena_malloc)(size_t size);
extern void (*arena_free)(void *block);
extern const char *plugin, *late_arena;	/* paths of libraries */

static inline unsigned next_random(struct role *self)
{
	self->random = self->random * 1103515245 + 12345;
	return self->random >> 16;
}

/* Work without calls, on general and vector registers, of which every bit counts. */
void check_arithmetic(void);

/* roles.c */
void allocate_step(struct role *self);
void fork_step(struct role *self);
void spawn_step(struct role *self);
void load_step(struct role *self);
void threads_step(struct role *self);

/* handlers.c */
void ticked_begin(struct role *self);
void ticked_own_stack_begin(struct role *self);
void ticked_step(struct role *self);
void jumping_begin(struct role *self);
void jumping_step(struct role *self);

/* waits.c */
void waits_prepare(void);
void waiting_begin(struct role *self);
void waiting_step(struct role *self);
void bringing_step(struct role *self);

/* The tracer may be killed: see waits.c. */
extern bool forgiving;

#endif
