/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * traps HOW: counted work of a program with designs of its own on SIGTRAP.  HOW is any of
 * h(andled), i(gnored), b(locked), t (pending for the thread), p (pending for the process).
 */
#include <pthread.h>
#include <signal.h>

#include "truth.h"

static volatile int handled;

static void on_trap(int number)
{
	handled += number == SIGTRAP;
}

int main(int argc, char **argv)
{
	sigset_t traps;

	MUST(argc == 2);
	sigemptyset(&traps);
	sigaddset(&traps, SIGTRAP);
	if (strchr(argv[1], 'h'))
		signal(SIGTRAP, on_trap);
	if (strchr(argv[1], 'i'))
		signal(SIGTRAP, SIG_IGN);
	if (strchr(argv[1], 'b'))
		sigprocmask(SIG_BLOCK, &traps, NULL);
	if (strchr(argv[1], 't'))
		pthread_kill(pthread_self(), SIGTRAP);
	if (strchr(argv[1], 'p'))
		kill(getpid(), SIGTRAP);
	stage("ready");
	for (int i = 1; i <= 300; i++) {
		void *block = T_MALLOC(i);	/* LIVE */

		MUST(block);
		if (i % 3)
			T_FREE(block, i);
	}
	tell_truth();
	stage("done");
	return correct();
}
