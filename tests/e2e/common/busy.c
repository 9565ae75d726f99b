/* SPDX-License-Identifier: GPL-2.0-or-later */
/* busy [THREADS]: threads that allocate, free and check their blocks until they are told to end. */
#include <pthread.h>

#include "truth.h"

static volatile int over;

static void *work(void *unused)
{
	for (unsigned i = 0; !over; i++) {
		size_t size = i % 500 + 1;
		char *block = malloc(size);

		check_block(block, size, i);
		free(block);
	}
	return unused;
}

int main(int argc, char **argv)
{
	int nr_threads = argc > 1 ? atoi(argv[1]) : 2;
	pthread_t thread[16];

	MUST(nr_threads <= 16);
	for (int i = 0; i < nr_threads; i++)
		MUST(pthread_create(&thread[i], NULL, work, NULL) == 0);
	stage("ready");
	over = 1;
	for (int i = 0; i < nr_threads; i++)
		MUST(pthread_join(thread[i], NULL) == 0);
	return correct();
}
