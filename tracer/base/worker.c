/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A thread has the mask of the one that starts it. */
#include "worker.h"

#include <signal.h>
#include <stddef.h>

int worker_start(pthread_t *out, void *(*run)(void *argument), void *argument)
{
	static const int own[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGURG };
	sigset_t blocked, before;
	int error;

	sigfillset(&blocked);
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		sigdelset(&blocked, own[i]);
	pthread_sigmask(SIG_SETMASK, &blocked, &before);
	error = pthread_create(out, NULL, run, argument);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -error;
}
