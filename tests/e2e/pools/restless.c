/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * restless [ROUNDS]: threads that use pools all the time, and check what they get.  One has a handler
 * that takes from a pool, also where it interrupts one; one leaves pool functions by longjmp.
 * Without ROUNDS they go on until there is input.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>

#include "pool.h"
#include "timer.h"
#include "truth.h"

#define THREADS 6
#define SLOTS 8
#define HANDLED_MOST 20000

static unsigned long nr_rounds;
static volatile int stop;
static pthread_barrier_t start, end;

/* "fail" is called within it. */
__attribute__((noinline)) void *pool_get(struct pool *pool, size_t size, void (*fail)(void))
{
	void *object;

	if (size > pool->size)
		return NULL;
	object = pool_take(pool);
	if (fail)
		fail();
	return object;
}

__attribute__((noinline)) void pool_put(struct pool *pool, void *object, void (*fail)(void))
{
	if (fail)
		fail();
	pool_give(pool, object);
}

static int goes_on(unsigned long round)
{
	return nr_rounds ? round < nr_rounds : !stop;
}

struct user {
	struct pool pool;
	void *slot[SLOTS];
	size_t size[SLOTS];
};

static void use(struct user *user, unsigned long i)
{
	unsigned k = i * 7 % SLOTS;

	if (user->slot[k]) {
		MUST(filled(user->slot[k], user->size[k], k));
		truth_freed(user->size[k]);
		pool_put(&user->pool, user->slot[k], NULL);
		user->slot[k] = NULL;
	} else {
		user->size[k] = i % 90 + 10;
		user->slot[k] = T_NEW(pool_get(&user->pool, user->size[k], NULL), user->size[k]);
		MUST(user->slot[k]);
		fill(user->slot[k], user->size[k], k);
	}
}

/* What pools and malloc do in turn. */
static void *plain(void *unused)
{
	struct user user = { 0 };
	void *block;

	pool_init(&user.pool, 100);
	pthread_barrier_wait(&start);
	for (unsigned long i = 0; goes_on(i); i++) {
		use(&user, i);
		block = T_MALLOC(i % 500 + 1);
		check_block(block, i % 500 + 1, 3);
		T_FREE(block, i % 500 + 1);
	}
	pthread_barrier_wait(&end);
	pthread_barrier_wait(&end);
	return unused;
}

static __thread jmp_buf back;

static void leave(void)
{
	void *block = malloc(50);	/* made by the pool's function: does not count */

	free(block);
	longjmp(back, 1);
}

static __attribute__((noinline)) void deeper(int depth, struct user *user, unsigned long i)
{
	volatile char room[200];

	room[0] = 1;
	if (depth)
		deeper(depth - room[0], user, i);
	else
		use(user, i);
}

static void *leaving(void *unused)
{
	static struct user user;
	struct pool *pool = &user.pool;
	volatile unsigned long i;

	pool_init(pool, 100);
	pthread_barrier_wait(&start);
	for (i = 0; goes_on(i); i++) {
		if (!setjmp(back)) {
			if (i % 2)
				(void)pool_get(pool, 20, leave);
			else
				pool_put(pool, NULL, leave);
		}
		/* Where the call was that was left, and inside of where it was. */
		T_FREE(T_MALLOC(60), 60);
		deeper(i % 9, &user, i);
	}
	pthread_barrier_wait(&end);
	pthread_barrier_wait(&end);
	return unused;
}

static char handled_memory[HANDLED_MOST * 32];
static struct pool handled = { .size = 32, .chunk = handled_memory };
static unsigned nr_handled;

static void on_timer(int number)
{
	void *object;

	(void)number;
	if (nr_handled + 1 >= HANDLED_MOST)
		return;
	nr_handled++;
	object = T_NEW(pool_get(&handled, 32, NULL), 32);	/* LIVE handler */
	check_block(object, 32, nr_handled);
	handled.used %= POOL_OBJECTS;		/* chunk after chunk */
	if (!handled.used)
		handled.chunk += 32 * POOL_OBJECTS;
	object = T_NEW(pool_get(&handled, 31, NULL), 31);
	truth_freed(31);
	pool_put(&handled, object, NULL);
}

static void *interrupted(void *unused)
{
	struct user user = { 0 };
	sigset_t set;

	pool_init(&user.pool, 100);
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	pthread_barrier_wait(&start);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	for (unsigned long i = 0; goes_on(i); i++)
		use(&user, i);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	pthread_barrier_wait(&end);
	pthread_barrier_wait(&end);
	return unused;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	pthread_attr_t small;	/* so small that glibc frees none of the stacks it caches */
	sigset_t set;

	nr_rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGALRM, on_timer);
	pthread_barrier_init(&start, NULL, THREADS + 1);
	pthread_barrier_init(&end, NULL, THREADS + 1);
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 64 << 10);
	for (int i = 0; i < THREADS; i++)
		MUST(pthread_create(&thread, &small, i == 0 ? leaving : i == 1 ? interrupted : plain,
				    NULL) == 0);
	stage("ready");
	timer(1000);
	pthread_barrier_wait(&start);
	if (!nr_rounds)
		stage("running");
	stop = 1;
	pthread_barrier_wait(&end);
	timer(0);
	tell_truth();
	stage("done");
	pthread_barrier_wait(&end);
	return correct();
}
