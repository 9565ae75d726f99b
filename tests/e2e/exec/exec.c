/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec WAY: allocates, then becomes itself again with no WAY and does counted work there.
 * WAY: "leader", "thread" (an exec out of another thread), "fork" children before it.
 */
#include <pthread.h>

#include "truth.h"

static void *become(void *program)
{
	execl(program, program, NULL);
	_exit(119);
}

static int second_life(void)
{
	for (int i = 0; i < 40; i++) {
		void *block = T_MALLOC(64 + i);		/* LIVE second */

		if (i % 4)
			T_FREE(block, 64 + i);
	}
	tell_truth();
	stage("done");
	return correct();
}

int main(int argc, char **argv)
{
	pthread_t thread;

	if (argc == 1)
		return second_life();
	stage("ready");
	for (int i = 0; i < 30; i++)
		(void)T_MALLOC(500);			/* LIVE first */
	if (strcmp(argv[1], "thread") == 0) {
		pthread_create(&thread, NULL, become, argv[0]);
		pause();
	}
	become(argv[0]);
}
