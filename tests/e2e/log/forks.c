/* SPDX-License-Identifier: GPL-2.0-or-later */
/* forks: the parent allocates 111 bytes, a child 222, and itself again after an exec 333. */
#include <sys/wait.h>

#include "truth.h"

int main(int argc, char **argv)
{
	pid_t child;

	if (argc > 1) {
		MUST(malloc(333));	/* EXEC */
		return correct();
	}
	stage("ready");
	MUST(malloc(111));		/* PARENT */
	child = fork();
	MUST(child >= 0);
	if (!child) {
		MUST(malloc(222));	/* CHILD */
		_exit(0);
	}
	say("child %d\n", child);
	MUST(waitpid(child, NULL, 0) == child);
	execl("/proc/self/exe", "forks", "again", NULL);
	return 1;
}
