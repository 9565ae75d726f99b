/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libdw and libdwfl keep nothing that two sessions share, and each module is one of its own. */
#include "background.h"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "frames.h"

#define QUEUE_MAX 16		/* more are prepared when they are needed */
#define WAIT_SECONDS 40		/* less than the tracer waits for names */

static struct {
	pthread_mutex_t lock;
	pthread_t thread;
	struct module *modules[QUEUE_MAX];
	unsigned nr;
	bool is_started;	/* and not joined */
	bool is_busy;		/* takes what is added */
} queue = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct module *take(void)
{
	struct module *module = NULL;

	pthread_mutex_lock(&queue.lock);
	if (queue.nr)
		module = queue.modules[--queue.nr];
	queue.is_busy = module;
	pthread_mutex_unlock(&queue.lock);
	return module;
}

static void *run(void *argument)
{
	struct module *module;

	while ((module = take()))
		(void)frames_prepare(module);
	return NULL;
}

static bool add(struct module *module)
{
	bool is_busy;

	pthread_mutex_lock(&queue.lock);
	if (queue.nr < QUEUE_MAX)
		queue.modules[queue.nr++] = module;
	is_busy = queue.is_busy;
	queue.is_busy = true;
	pthread_mutex_unlock(&queue.lock);
	return is_busy;
}

void background_prepare(struct module *module)
{
	if (add(module))
		return;
	if (queue.is_started)
		pthread_join(queue.thread, NULL);
	queue.is_started = !pthread_create(&queue.thread, NULL, run, NULL);
	if (!queue.is_started)
		while (take())
			;
}

/* A module that takes so long would cost the names of the one that is asked for. */
void background_wait(void)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += WAIT_SECONDS;
	if (queue.is_started && pthread_timedjoin_np(queue.thread, NULL, &end))
		_exit(1);
	queue.is_started = false;
}
