/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Some threads that do little else than to allocate and to free, and a block that is lost. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define THREADS 3
#define BLOCKS 256

static volatile int over;

static void *run(void *number)
{
	void *blocks[BLOCKS] = { NULL };
	unsigned random = *(unsigned *)number;

	while (!over) {
		unsigned i;

		random = random * 1103515245 + 12345;
		i = random >> 16 & (BLOCKS - 1);
		free(blocks[i]);
		blocks[i] = malloc(16 + (random >> 8) % 4000);
		if (!(random >> 16 & 1023))
			usleep(1000);
	}
	for (unsigned i = 0; i < BLOCKS; i++)
		free(blocks[i]);
	return NULL;
}

int main(void)
{
	static unsigned numbers[THREADS] = { 1, 2, 3 };
	pthread_t threads[THREADS];
	char *volatile lost = malloc(5000);

	memset(lost, 'x', 5000);
	lost = NULL;
	for (unsigned i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, run, &numbers[i]);
	puts("ready");
	fflush(stdout);
	getchar();
	over = 1;
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	puts("correct");
	return 0;
}
