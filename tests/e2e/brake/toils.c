/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * toils [THREADS]: threads that do what they are told by lines, each answered "done":
 *
 *     churn       blocks come and go without a pause
 *     serve       the same for a moment, 20 times a second
 *     spin        they compute
 *     calm        they wait, as at first
 *     leak N      the first thread leaks so many blocks
 *     enter       a thread waits for ever in a call of slow_get()
 *     exec, exit N
 *
 * What churns calls odd_get() and odd_put(), which begin with a call: no jump can be put there.
 */
#include <pthread.h>

#include "commands.h"

enum task { CALM, CHURN, SERVE, SPIN };

static volatile enum task task;
static volatile int nr_working, entered;
static const char *program;

void *odd_get(size_t size);
void odd_put(void *block);

__attribute__((used)) static void *get(size_t size)
{
	static __thread char block[512];

	return size <= sizeof(block) ? block : NULL;
}

__attribute__((used)) static void put(void *block)
{
	*(volatile char *)block = 0;
}

__asm__(".text\n"
	".globl odd_get\n.type odd_get, @function\n"
	"odd_get: call get\nret\n.size odd_get, . - odd_get\n"
	".globl odd_put\n.type odd_put, @function\n"
	"odd_put: call put\nret\n.size odd_put, . - odd_put\n");

static void churn(int nr)
{
	for (int i = 0; i < nr && task != CALM; i++) {
		char *block = odd_get(i % 500 + 1);

		check_block(block, i % 500 + 1, i);
		odd_put(block);
	}
}

static void spin(void)
{
	for (volatile int i = 0; i < 100000; i++)
		;
}

static void *toil(void *unused)
{
	for (;;) {
		enum task now = task;

		__atomic_add_fetch(&nr_working, now != CALM, __ATOMIC_SEQ_CST);
		if (now == CHURN || now == SERVE)
			churn(100);
		else if (now == SPIN)
			spin();
		__atomic_sub_fetch(&nr_working, now != CALM, __ATOMIC_SEQ_CST);
		if (now == CALM || now == SERVE)
			usleep(now == CALM ? 2000 : 50000);
	}
	return unused;
}

static void leak(int nr)
{
	for (int i = 0; i < nr; i++)
		MUST(malloc(40));			/* LIVE leak */
}

/* None of them has a block once it is calm. */
static void turn_to(enum task next)
{
	task = next;
	while (next == CALM && nr_working)
		usleep(1000);
}

/* As an allocator whose lock nobody gives back. */
__attribute__((noinline)) void *slow_get(size_t size)
{
	entered = 1;
	for (;;)
		pause();
	return malloc(size);
}

static void *enter(void *unused)
{
	slow_get(40);
	return unused;
}

static void begin(void *(*work)(void *))
{
	pthread_t thread;

	MUST(pthread_create(&thread, NULL, work, NULL) == 0);
}

static void enter_and_wait(void)
{
	begin(enter);
	while (!entered)
		usleep(1000);
}

static void obey(const char *what, const char *word)
{
	if (!strcmp(what, "churn"))
		turn_to(CHURN);
	else if (!strcmp(what, "serve"))
		turn_to(SERVE);
	else if (!strcmp(what, "spin"))
		turn_to(SPIN);
	else if (!strcmp(what, "calm"))
		turn_to(CALM);
	else if (!strcmp(what, "leak"))
		leak(atoi(word));
	else if (!strcmp(what, "enter"))
		enter_and_wait();
	else if (!strcmp(what, "exec"))
		execl(program, program, NULL);
	else if (!strcmp(what, "exit"))
		_exit(atoi(word));
	else
		MUST(!"a command");
}

int main(int argc, char **argv)
{
	int nr_threads = argc > 1 ? atoi(argv[1]) : 1;

	program = argv[0];
	while (nr_threads--)
		begin(toil);
	say("ready %d\n", getpid());
	obey_lines(obey);
	turn_to(CALM);
	return correct();
}
