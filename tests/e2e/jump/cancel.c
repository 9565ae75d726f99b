/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cancel: threads cancelled at any instruction (asynchronously), in calls of the allocator too.
 * Linked to arena.c, which may be left in the middle.
 */
#include <pthread.h>

#include "truth.h"

#define CANCELS 200

static volatile int began;

static void *work(void *unused)
{
	int old;

	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old);
	for (;;) {
		void *block = T_MALLOC(40);

		began = 1;
		block = T_REALLOC(block, 40, 60);
		T_FREE(block, 60);
	}
	return unused;
}

int main(void)
{
	pthread_t thread;
	void *result;

	stage("ready");
	for (int i = 0; i < CANCELS; i++) {
		began = 0;
		MUST(pthread_create(&thread, NULL, work, NULL) == 0);
		while (!began)
			;
		for (volatile int wait = 0; wait < i * 50; wait++)
			;
		MUST(pthread_cancel(thread) == 0);
		MUST(pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED);
	}
	for (int i = 0; i < 100; i++)
		(void)T_MALLOC(8);		/* LIVE */
	tell_truth();
	stage("done");
	return correct();
}
