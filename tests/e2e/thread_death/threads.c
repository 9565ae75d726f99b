/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Waves of threads that allocate, leave something behind and end. */
#include <pthread.h>

#include "truth.h"

#define WAVES 10
#define THREADS 8

static void *worker(void *unused)
{
	for (int i = 1; i <= 40; i++) {
		void *block = T_MALLOC(i);	/* LIVE */

		if (i % 10)
			T_FREE(block, i);
	}
	return unused;
}

int main(void)
{
	pthread_t thread[THREADS];
	pthread_attr_t small;	/* so small that glibc frees none of the stacks it caches */

	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 64 << 10);
	stage("ready");
	for (int wave = 0; wave < WAVES; wave++) {
		for (int i = 0; i < THREADS; i++)
			MUST(pthread_create(&thread[i], &small, worker, NULL) == 0);
		for (int i = 0; i < THREADS; i++)
			MUST(pthread_join(thread[i], NULL) == 0);
	}
	tell_truth();
	stage("done");
	return correct();
}
