/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Eight threads that allocate without pause, and check all that they wrote, until a line of
 * input comes.
 */
#include <pthread.h>

#include "truth.h"

#define THREADS 8
#define SLOTS 64

static volatile int ending;

static void one_step(unsigned char **slot, unsigned *random)
{
	unsigned k, n;

	*random = *random * 1103515245 + 12345;
	k = *random >> 16 & (SLOTS - 1);
	n = *random >> 8 & 2047;
	if (slot[k]) {
		size_t size = *(size_t *)slot[k];

		MUST(filled(slot[k] + sizeof(size_t), size, k));
		if (n & 1) {
			free(slot[k]);
			slot[k] = NULL;
			return;
		}
	}
	slot[k] = n & 2 ? realloc(slot[k], n + sizeof(size_t))
			: (free(slot[k]), calloc(1, n + sizeof(size_t)));
	MUST(slot[k]);
	*(size_t *)slot[k] = n;
	fill(slot[k] + sizeof(size_t), n, k);
}

static void *worker(void *seed)
{
	unsigned char *slot[SLOTS] = { NULL };
	unsigned random = (unsigned long)seed, steps = 0;

	do
		for (int i = 0; i < 100; i++, steps++)
			one_step(slot, &random);
	while (!ending);
	MUST(steps > 0);
	for (int k = 0; k < SLOTS; k++)
		free(slot[k]);
	return NULL;
}

int main(void)
{
	pthread_t thread[THREADS];

	for (long i = 0; i < THREADS; i++)
		MUST(pthread_create(&thread[i], NULL, worker, (void *)(i + 1)) == 0);
	stage("ready");
	ending = 1;
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	return correct();
}
