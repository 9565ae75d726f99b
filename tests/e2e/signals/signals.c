/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * signals SECONDS [stack]: a timer of 1 kHz whose handler allocates, on a stack of its own if
 * so wished, while main allocates too.  Linked to arena.c, whose functions may be interrupted
 * by themselves; so each call of either is complete, and counted, at the end.
 */
#include <signal.h>
#include <sys/time.h>
#include <time.h>

#include "truth.h"

static volatile unsigned long handled;
static char alternate[64 << 10];

static void on_timer(int number)
{
	size_t size = handled % 90 + 1;
	char *block = T_MALLOC(size);		/* LIVE handler */

	fill(block, size, number);
	MUST(filled(block, size, number));
	if (handled % 4)
		T_FREE(block, size);
	handled++;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static void timer(long period_us)
{
	struct itimerval value = { { 0, period_us }, { 0, period_us } };

	setitimer(ITIMER_REAL, &value, NULL);
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_timer, .sa_flags = SA_RESTART };
	stack_t stack = { .ss_sp = alternate, .ss_size = sizeof(alternate) };
	double end;

	if (argc > 2) {
		action.sa_flags |= SA_ONSTACK;
		sigaltstack(&stack, NULL);
	}
	sigaction(SIGALRM, &action, NULL);
	stage("ready");
	timer(1000);
	for (end = now() + atof(argv[1]); now() < end;) {
		char *block = T_MALLOC(70);

		block[0] = 1;
		block = T_REALLOC(block, 70, 80);
		MUST(block[0] == 1);
		T_FREE(block, 80);
	}
	timer(0);
	MUST(handled > 50);
	tell_truth();
	stage("done");
	return correct();
}
