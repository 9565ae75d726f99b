/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ticks SECONDS: calls that a timer's handler interrupts, each of which must say so. */
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>

#include "timer.h"
#include "truth.h"

static volatile int handled;

static void on_timer(int number)
{
	handled += number == SIGALRM;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_timer };
	struct epoll_event event;
	int fd = epoll_create1(0), before;
	double end;

	MUST(argc == 2);
	sigaction(SIGALRM, &action, NULL);
	stage("ready");
	timer(2000);
	for (end = now() + atof(argv[1]); now() < end;) {
		before = handled;
		MUST(epoll_wait(fd, &event, 1, 10000) == -1 && errno == EINTR);
		MUST(handled > before);
	}
	timer(0);
	stage("done");
	return correct();
}
