/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads that live from before "ready" to the end, and work in between:
 *
 *     crew_gather(nr, work);  stage("ready");  crew_work();  tell_truth();  stage("done");
 *     crew_leave();
 *
 * where work() calls crew_begin(), works, and calls crew_rest(), after which it may look at what
 * it has.
 */
#ifndef CREW_H
#define CREW_H

#include <pthread.h>

#include "truth.h"

static struct crew {
	pthread_t thread[512];
	int nr;
	pthread_barrier_t start, end;
} crew;

static inline void crew_gather(int nr, void *(*work)(void *))
{
	pthread_attr_t small;	/* so small that glibc frees none of the stacks it caches */

	MUST(nr <= (int)(sizeof(crew.thread) / sizeof(crew.thread[0])));
	crew.nr = nr;
	pthread_barrier_init(&crew.start, NULL, nr + 1);
	pthread_barrier_init(&crew.end, NULL, nr + 1);
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 64 << 10);
	for (int i = 0; i < nr; i++)
		MUST(pthread_create(&crew.thread[i], &small, work, NULL) == 0);
}

/* All of them, to the end of their work. */
static inline void crew_work(void)
{
	pthread_barrier_wait(&crew.start);
	pthread_barrier_wait(&crew.end);
}

static inline void crew_leave(void)
{
	pthread_barrier_wait(&crew.end);
	for (int i = 0; i < crew.nr; i++)
		pthread_join(crew.thread[i], NULL);
}

static inline void crew_begin(void)
{
	pthread_barrier_wait(&crew.start);
}

static inline void crew_rest(void)
{
	pthread_barrier_wait(&crew.end);
	pthread_barrier_wait(&crew.end);
}

#endif
