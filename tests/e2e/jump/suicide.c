/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * suicide FILE THREADS CALLS: allocates, counts in a file that it shares, and is killed by its own
 * SIGKILL: by one thread between two calls, or in the midst of others' calls.  The file has the
 * numbers of calls begun and ended: malloc's, then free's.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>

#include "truth.h"

static struct counts {
	uint64_t mallocs_begun, mallocs_ended, frees_begun, frees_ended;
} *counts;
static uint64_t nr_calls;

#define COUNT(field) __atomic_add_fetch(&counts->field, 1, __ATOMIC_SEQ_CST)

static void *work(void *unused)
{
	for (uint64_t i = 0;; i++) {
		void *block;

		if (COUNT(mallocs_begun) > nr_calls) {
			__atomic_sub_fetch(&counts->mallocs_begun, 1, __ATOMIC_SEQ_CST);
			kill(getpid(), SIGKILL);
		}
		block = malloc(i % 500 + 1);
		COUNT(mallocs_ended);
		if (i % 4 == 0)
			continue;
		COUNT(frees_begun);
		free(block);
		COUNT(frees_ended);
	}
	return unused;
}

int main(int argc, char **argv)
{
	int file, nr_threads;
	pthread_t thread[64];

	MUST(argc == 4);
	nr_threads = atoi(argv[2]);
	nr_calls = strtoul(argv[3], NULL, 10);
	file = open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0600);
	MUST(file >= 0 && ftruncate(file, sizeof(*counts)) == 0 && nr_threads <= 64);
	counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	MUST(counts != MAP_FAILED);
	stage("ready");
	for (int i = 1; i < nr_threads; i++)
		MUST(pthread_create(&thread[i], NULL, work, NULL) == 0);
	work(NULL);
	return 1;
}
