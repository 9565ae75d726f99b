/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Roles with a timer of their own, whose handlers allocate 1,000 times a second, or leave by
 * siglongjmp.  That one is armed anew for each jump: a handler which takes longer than the period,
 * as it does at breakpoints, would be interrupted by itself for ever when it restores the mask.
 */
#include <setjmp.h>
#include <sys/syscall.h>

#include "storm.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static __thread struct role *me;
static __thread sigjmp_buf back;
static __thread timer_t timer_of_mine;

static void on_tick(int number)
{
	int error = errno;
	unsigned seed = me->handled++;
	size_t size = seed % 90 + 1;
	char *block = arena_malloc(size);

	check_block(block, size, seed);
	arena_free(block);
	if (number == SIGUSR1 && seed % 16 == 0)
		usleep(300);		/* an attach meets the frame of a handler that waits */
	errno = error;
}

static void on_jump(int number)
{
	on_tick(number);
	siglongjmp(back, 1);
}

static void ticks(struct role *self, int number, void (*handler)(int), int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags | SA_RESTART };
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = number };
	sigset_t mine;

	me = self;
	event.sigev_notify_thread_id = syscall(SYS_gettid);
	MUST(sigaction(number, &action, NULL) == 0);
	MUST(timer_create(CLOCK_MONOTONIC, &event, &timer_of_mine) == 0);
	sigemptyset(&mine);
	sigaddset(&mine, number);
	pthread_sigmask(SIG_UNBLOCK, &mine, NULL);
}

/* The signal comes in 1 ms, and then each so many ns; 0: not again. */
static void in_a_millisecond(long period_ns)
{
	struct itimerspec time = { { 0, period_ns }, { 0, 1000000 } };

	MUST(timer_settime(timer_of_mine, 0, &time, NULL) == 0);
}

static void own_stack(void)
{
	static __thread char room[64 << 10];
	stack_t stack = { .ss_sp = room, .ss_size = sizeof(room) };

	MUST(sigaltstack(&stack, NULL) == 0);
}

void ticked_begin(struct role *self)
{
	ticks(self, SIGUSR1, on_tick, 0);
	in_a_millisecond(1000000);
}

void ticked_own_stack_begin(struct role *self)
{
	own_stack();
	ticks(self, SIGRTMIN + 1, on_tick, SA_ONSTACK);
	in_a_millisecond(1000000);
}

static void arena_round(unsigned i)
{
	size_t size = i % 400 + 1;
	char *block = arena_malloc(size);

	check_block(block, size, i);
	arena_free(block);
}

/* Interrupted in the allocator and in system calls, which go on (SA_RESTART) or say EINTR. */
void ticked_step(struct role *self)
{
	struct timespec time = { .tv_nsec = 1500000 };
	unsigned long before;
	int result;

	for (unsigned i = 0; i < 500; i++)
		arena_round(i);
	before = self->handled;
	result = nanosleep(&time, NULL);
	MUST(result == 0 || (errno == EINTR && self->handled > before));
}

void jumping_begin(struct role *self)
{
	own_stack();
	ticks(self, SIGRTMIN + 2, on_jump, SA_ONSTACK);
}

__attribute__((noinline)) static void deeper(int depth)
{
	volatile char room[100];

	room[0] = depth;
	if (room[0] > 0) {
		deeper(depth - 1);
		return;
	}
	for (unsigned i = 0;; i++)
		arena_round(i);
}

void jumping_step(struct role *self)
{
	for (volatile int i = 0; i < 4; i++) {
		if (sigsetjmp(back, 1) == 0) {
			in_a_millisecond(0);
			deeper(self->steps % 20);
		}
	}
}
