/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sample THREADS [CHILDREN]: each thread, and then each fork child, allocates at four lines: one
 * that keeps all, one that frees all, one that resizes, one that zeroes.  The totals are known,
 * and large enough to be estimated from some thousand samples.
 */
#include <pthread.h>
#include <sys/wait.h>

#include "truth.h"

#define KEPT 12000
#define FREED 40000
#define RESIZED 250
#define ZEROED 40

static void keep(void **blocks)
{
	for (int i = 0; i < KEPT; i++)
		blocks[i] = T_MALLOC(200); /* kept */
}

static void drop(void)
{
	for (int i = 0; i < FREED; i++) {
		size_t size = i % 1000;
		void *block = T_MALLOC(size); /* freed */

		T_FREE(block, size);
	}
}

static void resize(void **blocks)
{
	for (int i = 0; i < RESIZED; i++) {
		size_t was = 0;

		for (size_t size = 100; size <= 6400; was = size, size *= 2)
			blocks[i] = T_REALLOC(blocks[i], was, size); /* resized */
	}
}

static void zero(void **blocks)
{
	for (int i = 0; i < ZEROED; i++)
		blocks[i] = T_CALLOC(100, 200); /* zeroed */
}

static void *work(void *unused)
{
	static __thread void *blocks[KEPT + RESIZED + ZEROED];

	keep(blocks);
	drop();
	resize(blocks + KEPT);
	zero(blocks + KEPT + RESIZED);
	return unused;
}

static pthread_barrier_t start, end;

static void *worker(void *unused)
{
	pthread_barrier_wait(&start);
	work(NULL);
	pthread_barrier_wait(&end);
	pthread_barrier_wait(&end);
	return unused;
}

static void make_children(int nr)
{
	int status;

	for (int i = 0; i < nr; i++) {
		if (fork() == 0) {
			work(NULL);
			_exit(0);
		}
		MUST(wait(&status) > 0 && !status);
	}
}

int main(int argc, char **argv)
{
	int nr = atoi(argv[1]);
	pthread_t threads[64];

	MUST(nr <= 64);
	pthread_barrier_init(&start, NULL, nr + 1);
	pthread_barrier_init(&end, NULL, nr + 1);
	for (int i = 0; i < nr; i++)
		MUST(pthread_create(&threads[i], NULL, worker, NULL) == 0);
	stage("ready");
	pthread_barrier_wait(&start);
	pthread_barrier_wait(&end);
	make_children(argc > 2 ? atoi(argv[2]) : 0);
	tell_truth();
	stage("done");
	pthread_barrier_wait(&end);
	for (int i = 0; i < nr; i++)
		pthread_join(threads[i], NULL);
	return correct();
}
