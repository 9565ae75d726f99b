/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * spawns PROGRAM [ROUNDS [hidden]]: children that become the program, in each way that there is,
 * while two threads allocate; it must end with 7.  Each is looked for in a folder first that has
 * none.  Hidden: not dumpable.
 */
#include <pthread.h>
#include <spawn.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "truth.h"

extern char **environ;

static char *program[2];
static char stack[256 << 10] __attribute__((aligned(16)));
static volatile int over;

static void *allocates(void *seed)
{
	for (unsigned i = 0; !over; i++) {
		char *block = malloc(i % 1000 + 1);

		check_block(block, i % 1000 + 1, i);
		free(block);
	}
	return seed;
}

static int becomes(void *unused)
{
	execv("/nonexistent/program", program);
	execv(program[0], program);
	_exit(9);
}

static pid_t spawned(int way)
{
	char command[4096];
	pid_t child = -1;

	switch (way) {
	case 0:
		MUST(posix_spawn(&child, program[0], NULL, NULL, program, environ) == 0);
		return child;
	case 1:
		MUST(posix_spawnp(&child, "privileged", NULL, NULL, program, environ) == 0);
		return child;
	case 2:
		child = vfork();
		if (child == 0)
			becomes(NULL);
		return child;
	case 3:
		child = fork();
		if (child == 0)
			becomes(NULL);
		return child;
	case 4:
		return clone(becomes, stack + sizeof(stack), CLONE_VM | SIGCHLD, NULL);
	default:
		snprintf(command, sizeof(command), "%s; exit $?", program[0]);
		MUST(WEXITSTATUS(system(command)) == 7);
		return 0;
	}
}

int main(int argc, char **argv)
{
	int rounds = argc > 2 ? atoi(argv[2]) : 3, status;
	pthread_t thread[2];

	MUST(argc >= 2);
	program[0] = argv[1];
	for (int i = 0; i < 2; i++)
		MUST(pthread_create(&thread[i], NULL, allocates, NULL) == 0);
	stage("ready");
	if (argc > 3)
		MUST(prctl(PR_SET_DUMPABLE, 0) == 0);
	for (int i = 0; i < 6 * rounds; i++) {
		pid_t child = spawned(i % 6);

		MUST(child >= 0);
		if (!child)
			continue;
		MUST(waitpid(child, &status, 0) == child && WIFEXITED(status));
		if (WEXITSTATUS(status) != 7)
			say("WRONG way %d: %d\n", i % 6, WEXITSTATUS(status));
		MUST(WEXITSTATUS(status) == 7);
	}
	over = 1;
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	stage("done");
	return correct();
}
