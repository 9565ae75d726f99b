/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stacks WAY: allocates on stacks that a tracer must not take for the thread's own, or that have
 * hardly any room left.  WAY: "heap" (coroutines on malloc'ed stacks), "mapped" (on mappings of
 * their own), "moved" (a stack that is freed and given to the next coroutine), "signal" (alternate
 * stacks as small as they may be), "full" (a thread's stack, nearly exhausted).
 */
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "truth.h"

#define COROUTINES 16
#define STACK_BYTES (16 << 10)
#define ROUNDS 50
#define LEFT_BYTES 2048		/* the agent may take 512, malloc takes some 500 */

static ucontext_t back, coroutine[COROUTINES];

__attribute__((noinline)) static void work(int n)
{
	char *block = T_MALLOC(n + 1), *more;

	MUST(block);
	fill(block, n + 1, n);
	more = T_REALLOC(block, n + 1, n + 40);
	MUST(more);
	T_FREE(more, n + 40);
}

__attribute__((noinline)) static int deeper(int depth)
{
	volatile int here = depth;

	if (depth > 0)
		return deeper(depth - 1) + here;
	work(here + 10);
	return here;
}

static void run(int number)
{
	for (int i = 0; i < ROUNDS; i++) {
		deeper((i + number) % 20);
		swapcontext(&coroutine[number], &back);
	}
	(void)T_MALLOC(number + 100);		/* LIVE coroutine */
}

static void *stack_new(int mapped)
{
	void *stack = mapped ? mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
			     : T_MALLOC(STACK_BYTES);

	MUST(stack && stack != MAP_FAILED);
	return stack;
}

static void make(int number, void *stack)
{
	MUST(getcontext(&coroutine[number]) == 0);
	coroutine[number].uc_stack.ss_sp = stack;
	coroutine[number].uc_stack.ss_size = STACK_BYTES;
	coroutine[number].uc_link = &back;
	makecontext(&coroutine[number], (void (*)(void))run, 1, number);
}

static void side_by_side(int mapped)
{
	void *stack[COROUTINES];

	for (int i = 0; i < COROUTINES; i++)
		make(i, stack[i] = stack_new(mapped));
	for (int round = 0; round <= ROUNDS; round++)
		for (int i = 0; i < COROUTINES; i++)
			MUST(swapcontext(&back, &coroutine[i]) == 0);
	for (int i = 0; i < COROUTINES; i++)
		if (!mapped)
			T_FREE(stack[i], STACK_BYTES);
}

static void one_after_the_other(void)
{
	for (int i = 0; i < COROUTINES; i++) {
		void *stack = stack_new(1);

		make(i, stack);
		for (int round = 0; round <= ROUNDS; round++) {
			MUST(swapcontext(&back, &coroutine[i]) == 0);
			work(round);
		}
		MUST(munmap(stack, STACK_BYTES) == 0);	/* reading it would be a fault */
	}
}

static void on_signal(int number)
{
	work(number);
}

static void in_handlers(void)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_ONSTACK };
	size_t size = sysconf(_SC_MINSIGSTKSZ) + LEFT_BYTES;
	char *area = mmap(NULL, 64 << 10, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	stack_t stack = { .ss_sp = area + (32 << 10), .ss_size = (size + 4095) & ~4095ul };

	MUST(mprotect(stack.ss_sp, stack.ss_size, PROT_READ | PROT_WRITE) == 0);
	stack.ss_sp = (char *)stack.ss_sp + (stack.ss_size - size);	/* ends at a guard, too */
	stack.ss_size = size;
	MUST(sigaltstack(&stack, NULL) == 0 && sigaction(SIGUSR1, &action, NULL) == 0);
	for (int i = 0; i < 200; i++) {
		work(i);
		MUST(raise(SIGUSR1) == 0);
	}
}

static char *lowest;		/* of the thread's stack */

__attribute__((noinline)) static int to_the_guard(int n)
{
	volatile char here[64];

	here[0] = n;
	if ((char *)&here - lowest > LEFT_BYTES + 200)
		return to_the_guard(n) + here[0];
	work(n);
	return here[0];
}

static pthread_barrier_t start, end;

/* Never ends: glibc would give its own blocks back. */
static void *exhaust(void *unused)
{
	pthread_barrier_wait(&start);
	work(1);	/* glibc prepares the thread for more, which takes stack */
	for (int i = 0; i < 100; i++)
		to_the_guard(i);
	pthread_barrier_wait(&end);
	for (;;)
		pause();
	return unused;
}

static void nearly_full_prepare(void)
{
	char *area = mmap(NULL, 192 << 10, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_attr_t attributes;
	pthread_t thread;

	lowest = area + (64 << 10);
	MUST(mprotect(lowest, 64 << 10, PROT_READ | PROT_WRITE) == 0);
	pthread_barrier_init(&start, NULL, 2);
	pthread_barrier_init(&end, NULL, 2);
	pthread_attr_init(&attributes);
	pthread_attr_setstack(&attributes, lowest, 64 << 10);
	MUST(pthread_create(&thread, &attributes, exhaust, NULL) == 0);
}

static void nearly_full(void)
{
	pthread_barrier_wait(&start);
	pthread_barrier_wait(&end);
}

int main(int argc, char **argv)
{
	MUST(argc == 2);
	if (strcmp(argv[1], "full") == 0)
		nearly_full_prepare();
	stage("ready");
	if (strcmp(argv[1], "signal") == 0)
		in_handlers();
	else if (strcmp(argv[1], "full") == 0)
		nearly_full();
	else if (strcmp(argv[1], "moved") == 0)
		one_after_the_other();
	else
		side_by_side(argv[1][0] == 'm');
	for (int i = 0; i < 10; i++)
		(void)T_MALLOC(9);		/* LIVE after */
	tell_truth();
	stage("done");
	return correct();
}
