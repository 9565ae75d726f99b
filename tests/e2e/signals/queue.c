/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Receives 3000 queued signals out of a child and adds up their values. */
#include <signal.h>
#include <sys/wait.h>

#include "truth.h"

#define SIGNALS 3000

static volatile int received, sum;

static void on_signal(int number, siginfo_t *info, void *context)
{
	MUST(info->si_code == SI_QUEUE && context);
	received++;
	sum += info->si_value.sival_int;
}

static void send_all(pid_t to)
{
	for (int i = 0; i < SIGNALS; i++) {
		union sigval value = { .sival_int = i };

		while (sigqueue(to, SIGRTMIN + 1 + i % 3, value))
			usleep(1000);
	}
	_exit(0);
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART };
	pid_t parent = getpid(), child;

	for (int i = 0; i < 3; i++)
		sigaction(SIGRTMIN + 1 + i, &action, NULL);
	stage("ready");
	child = fork();
	if (child == 0)
		send_all(parent);
	while (received < SIGNALS)
		free(malloc(10));
	MUST(waitpid(child, NULL, 0) == child);
	MUST(sum == SIGNALS * (SIGNALS - 1) / 2);
	say("received %d\n", received);
	stage("done");
	return correct();
}
