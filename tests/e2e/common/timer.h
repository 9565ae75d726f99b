/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Time and signals by the clock, for victims that are interrupted. */
#ifndef TIMER_H
#define TIMER_H

#include <signal.h>
#include <sys/time.h>
#include <time.h>

static inline double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

/* SIGALRM so often; 0: no more. */
static inline void timer(long period_us)
{
	struct itimerval value = { { 0, period_us }, { 0, period_us } };

	setitimer(ITIMER_REAL, &value, NULL);
}

/* SIGALRM's handler, on a stack of its own if so wished. */
static inline void on_alarm(void (*handler)(int), int own_stack)
{
	static char alternate[64 << 10];
	stack_t stack = { .ss_sp = alternate, .ss_size = sizeof(alternate) };
	struct sigaction action = {
		.sa_handler = handler, .sa_flags = SA_RESTART | (own_stack ? SA_ONSTACK : 0),
	};

	if (own_stack)
		sigaltstack(&stack, NULL);
	sigaction(SIGALRM, &action, NULL);
}

#endif
