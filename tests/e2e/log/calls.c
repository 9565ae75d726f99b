/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * calls [THREADS [ROUNDS]]: each thread does every kind of call, keeps a diary of them in memory
 * of its own, and the program tells it:
 *
 *     call THREAD LINE FUNCTION ADDRESS SIZE|-      in the order of each thread
 *
 * A realloc is two: of the old block, then of the new one.
 */
#include <pthread.h>
#include <stdint.h>

#include "truth.h"

#define THREADS_MOST 16
#define CALLS_MOST 20000

struct call {
	int line;
	const char *function;
	uintptr_t address;
	size_t size;		/* -1: it took a block */
};

struct diary {
	pid_t tid;
	int nr;
	struct call calls[CALLS_MOST];
};

static struct diary diaries[THREADS_MOST];
static int nr_threads = 1, nr_rounds = 10;
static pthread_barrier_t start, end;

static void *note(struct diary *diary, int line, const char *function, void *block, size_t size)
{
	MUST(diary->nr < CALLS_MOST);
	diary->calls[diary->nr++] =
		(struct call){ line, function, (uintptr_t)block, size };
	return block;
}

#define NEW(function, call, size) note(diary, __LINE__, function, call, size)
#define FREE(block) (note(diary, __LINE__, "free", block, -1), free(block))

static void *resize(struct diary *diary, void *block, size_t size)
{
	int line = __LINE__ + 5;
	void *now;

	if (block)
		note(diary, line, "realloc", block, -1);
	now = realloc(block, size);
	return now || size ? note(diary, line, "realloc", now, size) : now;
}

static void do_round(struct diary *diary, unsigned i)
{
	size_t size = i % 700 + 1;
	void *a = NEW("malloc", malloc(size), size);
	void *b = NEW("calloc", calloc(3, size), 3 * size);
	void *c = NEW("memalign", memalign(64, 64 * size), 64 * size);
	void *d = resize(diary, NULL, size), *e;

	MUST(posix_memalign(&e, 32, size) == 0); NEW("posix_memalign", e, size);
	a = resize(diary, a, 200000);
	a = resize(diary, a, size);
	FREE(b);
	fill(a, size, i);
	MUST(!resize(diary, d, 0));
	MUST(!NEW("malloc", malloc((size_t)1 << 46), (size_t)1 << 46));
	FREE(c);
	MUST(filled(a, size, i));
	FREE(a);
	FREE(e);
}

static void *work(void *argument)
{
	struct diary *diary = argument;

	diary->tid = gettid();
	pthread_barrier_wait(&start);
	for (int i = 0; i < nr_rounds; i++)
		do_round(diary, i);
	pthread_barrier_wait(&end);
	pthread_barrier_wait(&end);
	return NULL;
}

static void tell(const struct diary *diary)
{
	for (int i = 0; i < diary->nr; i++) {
		const struct call *call = &diary->calls[i];

		if (call->size == (size_t)-1)
			say("call %d %d %s %#lx -\n", diary->tid, call->line, call->function,
			    call->address);
		else
			say("call %d %d %s %#lx %zu\n", diary->tid, call->line, call->function,
			    call->address, call->size);
	}
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS_MOST];

	if (argc > 1)
		nr_threads = atoi(argv[1]);
	if (argc > 2)
		nr_rounds = atoi(argv[2]);
	MUST(nr_threads <= THREADS_MOST);
	pthread_barrier_init(&start, NULL, nr_threads + 1);
	pthread_barrier_init(&end, NULL, nr_threads + 1);
	for (int i = 0; i < nr_threads; i++)
		MUST(pthread_create(&threads[i], NULL, work, &diaries[i]) == 0);
	stage("ready");
	pthread_barrier_wait(&start);
	pthread_barrier_wait(&end);
	for (int i = 0; i < nr_threads; i++)
		tell(&diaries[i]);
	say("truth calls=%d\n", nr_threads);
	stage("done");
	pthread_barrier_wait(&end);
	for (int i = 0; i < nr_threads; i++)
		pthread_join(threads[i], NULL);
	return correct();
}
