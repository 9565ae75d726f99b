/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blocks of every kind, each allocated on a line of its own that says which: valgrind's nine cases, a
 * ring, and what only threads, their storage, vector registers or coroutines hold.  Threads live on
 * when main() says "ready", and when the process ends.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#define BYTES 64

struct node {
	struct node *next;
	char *inside;
	char rest[BYTES - 16];
};

static struct node *volatile root, *volatile chain, *volatile inside_chain;
static char *volatile inside_root;
static __thread struct node *volatile local;
static pthread_key_t key;
static pthread_barrier_t started;
static ucontext_t main_context, coroutine;
static struct node *volatile *mapped;

static struct node *empty(void *block)
{
	return memset(block, 0, sizeof(struct node));
}

/* Each leaves nothing of what it had on the stack: scrub() runs over it. */
__attribute__((noinline)) static void scrub(void)
{
	volatile char stack[16384];

	memset((char *)stack, 0, sizeof(stack));
	__asm__ volatile("" : : : "rbx", "r12", "r13", "r14", "r15", "memory");
}

__attribute__((noinline)) static void reachable(void)
{
	root = empty(malloc(BYTES));				/* 1: reachable */
	chain = empty(malloc(BYTES));				/* 2A: reachable */
	chain->next = empty(malloc(BYTES));			/* 2B: reachable */
	mapped = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	*mapped = empty(malloc(BYTES));				/* mapped: reachable */
}

__attribute__((noinline)) static void lost(void)
{
	struct node *a;

	empty(malloc(BYTES));					/* 3: definite */
	a = empty(malloc(BYTES));				/* 4A: definite */
	a->next = empty(malloc(BYTES));				/* 4B: indirect */
	a = empty(malloc(BYTES));				/* 9A: definite */
	a->inside = (char *)empty(malloc(BYTES)) + 16;		/* 9B: indirect */
	a = empty(malloc(BYTES));				/* ring A: definite */
	a->next = empty(malloc(BYTES));				/* ring B: definite */
	a->next->next = a;
}

__attribute__((noinline)) static void possible(void)
{
	struct node *a;

	inside_root = (char *)empty(malloc(BYTES)) + 16;	/* 5: possible */
	root->inside = (char *)empty(malloc(BYTES)) + 16;	/* 6: possible */
	a = empty(malloc(BYTES));				/* 7A: possible */
	a->next = empty(malloc(BYTES));				/* 7B: possible */
	chain->inside = (char *)a + 16;
}

__attribute__((noinline)) static void list(void)
{
	struct node *first = NULL;

	for (unsigned i = 0; i < 1000; i++) {
		struct node *node = empty(malloc(BYTES));	/* list */

		node->next = first;
		first = node;
	}
}

static void *lives(void *unused)
{
	struct node *volatile on_stack = empty(malloc(BYTES));	/* stack: reachable */

	local = empty(malloc(BYTES));				/* local: reachable */
	pthread_setspecific(key, empty(malloc(BYTES)));		/* specific: reachable */
	pthread_barrier_wait(&started);
	pause();
	return on_stack;
}

static void *dies(void *unused)
{
	struct node *volatile on_stack = empty(malloc(BYTES));	/* dead stack: definite */

	(void)on_stack;
	return NULL;
}

/* On a stack that malloc has made. */
static void yields(void)
{
	struct node *volatile on_stack = empty(malloc(BYTES));	/* coroutine: reachable */

	swapcontext(&coroutine, &main_context);
	(void)on_stack;
}

static void start_coroutine(void)
{
	getcontext(&coroutine);
	coroutine.uc_stack.ss_size = 65536;
	coroutine.uc_stack.ss_sp = malloc(65536);		/* its stack: reachable */
	coroutine.uc_link = &main_context;
	makecontext(&coroutine, yields, 0);
	swapcontext(&main_context, &coroutine);
}

int main(int argc, char **argv)
{
	pthread_t thread;

	pthread_key_create(&key, NULL);
	pthread_barrier_init(&started, NULL, 2);
	puts("ready");
	fflush(stdout);
	if (argc > 1)
		getchar();
	reachable();
	possible();
	lost();
	list();
	pthread_create(&thread, NULL, dies, NULL);
	pthread_join(thread, NULL);
	pthread_create(&thread, NULL, lives, NULL);
	pthread_barrier_wait(&started);
	start_coroutine();
	scrub();
	puts("done");
	fflush(stdout);
	if (argc > 1)
		getchar();
	puts("correct");
	return 0;
}
