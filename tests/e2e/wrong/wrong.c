/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wrong WAY: frees what is not allocated, in one of many ways; some of them glibc aborts for.  All
 * is done between "ready" and "truth".
 */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "truth.h"

#define TCACHE 7		/* blocks of one size that glibc's cache of a thread holds */

static char *block;

__attribute__((noinline)) static void drop(void *pointer)
{
	free(pointer); /* DROP */
	__asm__ volatile("");
}

__attribute__((noinline)) static void drop_again(void *pointer)
{
	free(pointer); /* AGAIN */
	__asm__ volatile("");
}

static void twice(void)
{
	block = T_MALLOC(24); /* BLOCK */
	drop(block);
	truth_freed(24);
	drop_again(block); /* SECOND */
}

/* glibc looks at the cache of the thread that frees alone. */
static void *in_a_thread(void *pointer)
{
	drop_again(pointer);
	return NULL;
}

static void do_in_thread(void *(*body)(void *))
{
	pthread_t thread;

	MUST(!pthread_create(&thread, NULL, body, block));
	MUST(!pthread_join(thread, NULL));
}

static void threads(void)
{
	block = T_MALLOC(24);
	drop(block);
	truth_freed(24);
	do_in_thread(in_a_thread);
}

/* Through a full cache to where glibc compares with the last one alone; then it hands the block out
 * twice, and each owner frees it. */
static void unnoticed(void)
{
	char *cached[TCACHE], *last[2], *first, *second;

	for (int i = 0; i < TCACHE; i++)
		cached[i] = malloc(24);
	first = malloc(24);
	second = malloc(24);
	for (int i = 0; i < TCACHE; i++)
		free(cached[i]);
	drop(first);
	free(second);
	drop_again(first);
	for (int i = 0; i < TCACHE; i++)
		cached[i] = malloc(24);
	last[0] = malloc(24);
	free(malloc(24));
	last[1] = malloc(24);
	MUST(last[0] == first || last[1] == first);
}

static void interior(void)
{
	char *around = T_MALLOC(100); /* AROUND */

	drop(around + 16);
}

static void stack(void)
{
	_Alignas(16) char buffer[64] = "";

	drop(buffer + 16);
}

static void resized(void)
{
	block = T_MALLOC(24);
	drop(block);
	truth_freed(24);
	block = realloc(block, 20); /* RESIZED */
}


static void moved(void)
{
	char *small = malloc(24), *behind = malloc(24);
	char *large = realloc(small, 100000); /* MOVED */

	MUST(large && large != small && behind);
	drop(small);
}

/* In two places, some more often than others; jemalloc does not mind. */
static void many(void)
{
	for (int i = 0; i < 30; i++) {
		char *one = malloc(24);

		drop(one);
		if (i % 3)
			drop_again(one);
		else
			drop(one);
	}
}

/* Late enough after the attach that no call from before it can have to do with it. */
static void late(void)
{
	free(malloc(24));
	usleep(1500000);
	threads();
}

/* Nothing is wrong with all that. */

static void *cache(void *argument)
{
	char *blocks[TCACHE];

	for (int i = 0; i < TCACHE; i++)
		blocks[i] = T_MALLOC(40);
	for (int i = 0; i < TCACHE; i++)
		T_FREE(blocks[i], 40);
	return argument;
}

static void clean(void)
{
	char *p = NULL;

	for (int i = 0; i < 20; i++)
		do_in_thread(cache);
	for (int i = 0; i < 300; i++)
		p = T_REALLOC(p, (size_t)i * 10, (size_t)(i + 1) * 10);
	T_FREE(p, 3000);
	p = T_MALLOC(8);
	MUST(!realloc(p, (size_t)-1 / 2)); /* it lives on */
	T_FREE(p, 8);
}

static char *old;

/* From before an attach. */
static void inherited(void)
{
	drop(old);
	do_in_thread(in_a_thread);
}

static void inherited_late(void)
{
	free(malloc(24));
	usleep(1500000);
	drop(old);
	do_in_thread(in_a_thread);
}

static void in_a_child(void)
{
	int status;
	pid_t child = fork();

	MUST(child >= 0);
	if (!child) {
		free(old);	/* inherited, and free once only */
		block = malloc(24);
		drop(block);
		do_in_thread(in_a_thread);
		_exit(0);
	}
	MUST(waitpid(child, &status, 0) == child && !status);
}

static const struct {
	const char *name;
	void (*act)(void);
} ways[] = {
	{ "twice", twice }, { "threads", threads }, { "unnoticed", unnoticed },
	{ "interior", interior }, { "stack", stack }, { "resized", resized }, { "moved", moved },
	{ "many", many }, { "late", late }, { "clean", clean }, { "inherited", inherited },
	{ "inherited-late", inherited_late }, { "child", in_a_child },
};

int main(int argc, char **argv)
{
	old = malloc(16);
	stage("ready");
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++)
		if (argc > 1 && !strcmp(argv[1], ways[i].name))
			block = old, ways[i].act();
	tell_truth();
	stage("done");
	correct();
	_exit(0);
}
