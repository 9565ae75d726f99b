/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest WAY: a child made before "ready" shares the memory and does the counted work.
 * WAY: "vfork", "clone" (the parent waits, too), "orphan" (the parent ends when told to).
 */
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

#include "truth.h"

static char stack[256 << 10] __attribute__((aligned(16)));
static pid_t host;
static volatile int told;

static void work(void)
{
	for (int i = 1; i <= 200; i++) {
		void *block = T_MALLOC(i);	/* LIVE */

		MUST(block);
		if (i % 4)
			T_FREE(block, i);
	}
}

static int guest(void *unused)
{
	say("guest %d\n", getpid());
	stage("ready");
	work();
	tell_truth();
	stage("done");
	for (int i = 0; i < 1000; i++)
		free(malloc(30));
	_exit(7);
}

static int orphan(void *unused)
{
	say("guest %d\n", getpid());
	stage("ready");
	told = 1;
	while (getppid() == host)
		usleep(1000);
	usleep(50000);
	work();
	tell_truth();
	stage("done");
	for (int i = 0; i < 1000; i++)
		free(malloc(30));
	_exit(correct());
}

static int ended(pid_t child)
{
	int status;

	MUST(child > 0 && waitpid(child, &status, 0) == child);
	MUST(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	return correct();
}

int main(int argc, char **argv)
{
	pid_t child;

	MUST(argc == 2);
	host = getpid();
	if (strcmp(argv[1], "clone") == 0)
		return ended(clone(guest, stack + sizeof(stack), CLONE_VM | SIGCHLD, NULL));
	if (strcmp(argv[1], "orphan") == 0) {
		MUST(clone(orphan, stack + sizeof(stack), CLONE_VM | SIGCHLD, NULL) > 0);
		while (!told)
			usleep(1000);
		_exit(0);
	}
	child = vfork();
	if (child == 0)
		guest(NULL);
	return ended(child);
}
