/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * leaves ROUNDS [CHILD]: forks and becomes itself at once, ROUNDS times; the child allocates,
 * and the next life sees how it ended.
 */
#include <sys/wait.h>

#include "truth.h"

static void child_work(void)
{
	for (int i = 0; i < 300; i++)
		free(malloc(i + 1));
	_exit(7);
}

int main(int argc, char **argv)
{
	char left[16], child_text[16];
	pid_t child;
	int status;

	if (argc == 2) {
		stage("ready");
	} else {
		MUST(waitpid(atoi(argv[2]), &status, 0) == atoi(argv[2]));
		MUST(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	}
	free(malloc(10));
	if (atoi(argv[1]) == 0) {
		stage("done");
		return correct();
	}
	child = fork();
	if (child == 0)
		child_work();
	MUST(child > 0);
	snprintf(left, sizeof(left), "%d", atoi(argv[1]) - 1);
	snprintf(child_text, sizeof(child_text), "%d", child);
	execl(argv[0], argv[0], left, child_text, NULL);
	return 119;
}
