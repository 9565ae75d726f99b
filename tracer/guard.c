/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A fork, and a process that waits.  The kernel tells the child of its end: PR_SET_PDEATHSIG. */
#include "guard.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/message.h"
#include "signals.h"
#include "target/procfs.h"

#define CHILD_NAME "memtrace-trace"

static volatile int *requests;		/* shared: what the guard was asked */
static volatile pid_t tracing;		/* in the guard */
static pid_t guard;			/* in the child */

/* The tick wakes it. */
static void pass_on(void)
{
	++*requests;
	if (tracing)
		kill(tracing, SIGALRM);
}

static int await(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return GUARD_FAILED;
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	message_error("the tracing process was ended by signal %d (%s)", WTERMSIG(status),
		      strsignal(WTERMSIG(status)));
	return GUARD_FAILED;
}

/* The guard may have ended before it could be asked for a signal. */
static void follow_guard(void)
{
	prctl(PR_SET_NAME, CHILD_NAME);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (guard_is_gone())
		_exit(GUARD_FAILED);
	signals_count_also(requests);
}

static int failed(const char *what)
{
	message_error("%s: %s", what, strerror(errno));
	return GUARD_FAILED;
}

/* Both start with the same requests: none.  Where SIGCHLD is ignored nobody could be waited for. */
static pid_t part(bool with_command)
{
	sigset_t all, before;
	pid_t child;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	signals_install(with_command, pass_on);
	guard = getpid();
	child = fork();
	if (!child)
		signals_restore();
	tracing = child;
	sigprocmask(SIG_SETMASK, &before, NULL);
	return child;
}

int guard_run(int (*work)(void *owner), void *owner, bool with_command)
{
	pid_t child;

	requests = mmap(NULL, sizeof(*requests), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			-1, 0);
	if (requests == MAP_FAILED)
		return failed("mmap");
	child = part(with_command);
	if (child < 0)
		return failed("fork");
	if (!child) {
		follow_guard();
		exit(work(owner));
	}
	return await(child);
}

bool guard_is_child(pid_t pid)
{
	char *name = procfs_comm(pid);
	bool is_child = name && !strcmp(name, CHILD_NAME);

	free(name);
	return is_child;
}

bool guard_is_gone(void)
{
	return getppid() != guard;
}
