/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vfork SECONDS: children that share the memory and allocate, one after the other. */
#include <sys/wait.h>
#include <time.h>

#include "truth.h"

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static void child_work(double end)
{
	do {
		for (int i = 0; i < 100; i++)
			free(malloc(20));
	} while (now() < end);
	_exit(7);
}

int main(int argc, char **argv)
{
	double end;
	int status;

	MUST(argc == 2);
	stage("ready");
	for (end = now() + atof(argv[1]); now() < end;) {
		pid_t child = vfork();

		if (child == 0)
			child_work(now() + 0.05);
		MUST(waitpid(child, &status, 0) == child);
		MUST(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	}
	stage("done");
	return correct();
}
