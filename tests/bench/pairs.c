/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pairs N [THREADS]: prints the time of a pair of malloc and free, made N times 16 calls deep by
 * each thread, in ns from the begin of the first to the end of the last.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e9 + time.tv_nsec;
}

__attribute__((noinline)) static void pairs(long n)
{
	for (long i = 0; i < n; i++) {
		void *block = malloc(i & 255);

		__asm__ volatile("" : "+r"(block) : : "memory");
		free(block);
	}
}

__attribute__((noinline, noclone)) static void deep(int depth, long n)
{
	if (depth > 1)
		deep(depth - 1, n);
	else
		pairs(n);
	__asm__ volatile("" : : : "memory");	/* no tail call */
}

static long nr_pairs = 1000000;
static pthread_barrier_t start;

static void *run(void *unused)
{
	pthread_barrier_wait(&start);
	deep(12, nr_pairs);
	return unused;
}

static double run_threads(int nr_threads)
{
	pthread_t threads[256];
	double begin;

	pthread_barrier_init(&start, NULL, nr_threads + 1);
	for (int i = 0; i < nr_threads; i++)
		if (pthread_create(&threads[i], NULL, run, NULL))
			exit(1);
	begin = now_ns();
	pthread_barrier_wait(&start);
	for (int i = 0; i < nr_threads; i++)
		pthread_join(threads[i], NULL);
	return now_ns() - begin;
}

int main(int argc, char **argv)
{
	int nr_threads = argc > 2 ? atoi(argv[2]) : 1;
	double begin, took;

	if (argc > 1)
		nr_pairs = atol(argv[1]);
	if (nr_pairs < 1 || nr_threads < 1 || nr_threads > 256)
		return 2;
	begin = now_ns();
	if (nr_threads > 1) {
		took = run_threads(nr_threads);
	} else {
		deep(14, nr_pairs);
		took = now_ns() - begin;
	}
	printf("%.1f\n", took / nr_pairs);
	return 0;
}
