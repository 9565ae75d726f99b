/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Children that share their parent's memory until they exec or end. */
#include <spawn.h>
#include <sys/wait.h>

#include "truth.h"

extern char **environ;

static int ended(pid_t child)
{
	int status;

	MUST(child > 0);
	MUST(waitpid(child, &status, 0) == child && WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void spawned(int code)
{
	char script[32];
	char *argv[] = { "sh", "-c", script, NULL };
	pid_t child;

	snprintf(script, sizeof(script), "exit %d", code);
	MUST(posix_spawn(&child, "/bin/sh", NULL, NULL, argv, environ) == 0);
	MUST(ended(child) == code);
}

static void vforked(void)
{
	pid_t child = vfork();

	if (child == 0) {
		execl("/bin/sh", "sh", "-c", "exit 9", NULL);
		_exit(127);
	}
	MUST(ended(child) == 9);
}

/* Not allowed, and done nevertheless: the blocks are the parent's as well. */
static void allocating_child(void)
{
	static void *volatile block;
	pid_t child = vfork();

	if (child == 0) {
		T_FREE(T_MALLOC(31), 31);
		block = T_MALLOC(32);
		_exit(4);
	}
	MUST(ended(child) == 4);
	MUST(block);
	T_FREE(block, 32);
}

int main(int argc, char **argv)
{
	stage("ready");
	for (int i = 0; i < 10; i++) {
		void *block = T_MALLOC(50 + i);		/* LIVE */

		MUST(block);
		MUST(WEXITSTATUS(system("exit 3")) == 3);
		T_FREE(T_MALLOC(20), 20);
		spawned(i);
		vforked();
		if (argc > 1)
			allocating_child();
		T_FREE(T_MALLOC(20), 20);
	}
	tell_truth();
	stage("done");
	return correct();
}
