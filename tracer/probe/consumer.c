/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See consumer.h.  A mutex alone is not fair: who unlocks and locks again at once keeps it from
 * all that wait.  So one passes a gate first, and holds it until the lock is one's own; whoever
 * waits for the lock thereby keeps the consumer out.
 */
#include "consumer.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "../base/clock.h"
#include "../base/worker.h"

#define MUCH RINGS_SHARE	/* a ring may hold more: go on at once */
#define REST_LEAST_NS 1000000
#define REST_MOST_NS 2000000
/* Without a rest.  With more than 95 % of its time a real-time thread would be held for 50 ms. */
#define TOIL_NS 3000000
#define NOTIFY_AGAIN_NS 10000000
#define NOTIFY_LEAST_NS 1000000	/* a broken target may ask all the time */

struct consumer {
	struct rings *rings;
	void (*notify)(void *owner);
	void *owner;
	pthread_t thread;
	pthread_mutex_t gate, lock;
	bool ending;
	/* Of the thread alone. */
	uint64_t rest_ns, rested_ns;
	uint32_t notified;	/* loader_requests then */
	uint64_t notified_ns;
};

void consumer_lock(struct consumer *consumer)
{
	if (!consumer)
		return;
	pthread_mutex_lock(&consumer->gate);
	pthread_mutex_lock(&consumer->lock);
	pthread_mutex_unlock(&consumer->gate);
}

void consumer_unlock(struct consumer *consumer)
{
	if (consumer)
		pthread_mutex_unlock(&consumer->lock);
}

static bool try_lock(struct consumer *consumer)
{
	bool locked;

	if (pthread_mutex_trylock(&consumer->gate))
		return false;
	locked = !pthread_mutex_trylock(&consumer->lock);
	pthread_mutex_unlock(&consumer->gate);
	return locked;
}

static void nap(uint64_t ns)
{
	const struct timespec time = { .tv_nsec = (long)ns };

	nanosleep(&time, NULL);
}

/* However long another one holds the lock, the agents are told that we are there. */
static void lock_beating(struct consumer *consumer)
{
	while (!try_lock(consumer)) {
		rings_beat(consumer->rings);
		nap(REST_LEAST_NS);
	}
}

static size_t drain(struct consumer *consumer)
{
	size_t nr;

	lock_beating(consumer);
	nr = rings_drain(consumer->rings);
	pthread_mutex_unlock(&consumer->lock);
	return nr;
}

/* A notice may be lost, where it comes just before a wait: it is repeated. */
static void watch_loader(struct consumer *consumer)
{
	const struct agent_shared *shared = consumer->rings->shared;
	uint32_t requests = __atomic_load_n(&shared->loader_requests, __ATOMIC_ACQUIRE);
	uint64_t since_ns;

	if (!consumer->notify ||
	    requests == __atomic_load_n(&shared->loader_done, __ATOMIC_RELAXED))
		return;
	since_ns = clock_ns() - consumer->notified_ns;
	if (since_ns < NOTIFY_LEAST_NS ||
	    (requests == consumer->notified && since_ns < NOTIFY_AGAIN_NS))
		return;
	consumer->notified = requests;
	consumer->notified_ns = clock_ns();
	consumer->notify(consumer->owner);
}

/* Now and then also while there is always more: what can run nowhere else must not be kept from
 * this processor. */
static void rest(struct consumer *consumer, size_t nr)
{
	uint64_t now_ns = clock_ns();

	if (nr >= MUCH && now_ns - consumer->rested_ns < TOIL_NS)
		return;
	consumer->rest_ns = nr ? REST_LEAST_NS : consumer->rest_ns * 2;
	if (consumer->rest_ns > REST_MOST_NS)
		consumer->rest_ns = REST_MOST_NS;
	nap(consumer->rest_ns);
	consumer->rested_ns = clock_ns();
}

/* The lowest of the real-time priorities, since among the others a session has its share as a
 * whole (autogroup, cgroups) and a nice value counts only within.  Else as far up as we may. */
static void raise_priority(void)
{
	const struct sched_param none = { 0 }, lowest = { .sched_priority = 1 };
	int nice = -20;

	if (!sched_setscheduler(0, SCHED_RR, &lowest))
		return;
	(void)sched_setscheduler(0, SCHED_OTHER, &none); /* the tracing thread may be idle */
	while (nice < 0 && setpriority(PRIO_PROCESS, (id_t)gettid(), nice))
		nice++;
}

static void *run(void *argument)
{
	struct consumer *consumer = argument;

	raise_priority();
	while (!__atomic_load_n(&consumer->ending, __ATOMIC_ACQUIRE)) {
		size_t nr = drain(consumer);

		watch_loader(consumer);
		rest(consumer, nr);
	}
	return NULL;
}

static void destroy(struct consumer *consumer)
{
	pthread_mutex_destroy(&consumer->gate);
	pthread_mutex_destroy(&consumer->lock);
	free(consumer);
}

int consumer_start(struct rings *rings, void (*notify)(void *owner), void *owner,
		   struct consumer **out)
{
	struct consumer *consumer = calloc(1, sizeof(*consumer));
	int error;

	if (!consumer)
		return -ENOMEM;
	consumer->rings = rings;
	consumer->notify = notify;
	consumer->owner = owner;
	consumer->rest_ns = REST_LEAST_NS;
	pthread_mutex_init(&consumer->gate, NULL);
	pthread_mutex_init(&consumer->lock, NULL);
	rings_beat(rings);
	error = worker_start(&consumer->thread, run, consumer);
	if (error)
		destroy(consumer);
	else
		*out = consumer;
	return error;
}

void consumer_stop(struct consumer *consumer)
{
	if (!consumer)
		return;
	__atomic_store_n(&consumer->ending, true, __ATOMIC_RELEASE);
	pthread_join(consumer->thread, NULL);
	destroy(consumer);
}
