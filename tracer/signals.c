/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Signal handlers that set flags, and the interval timer. */
#include "signals.h"

#include <signal.h>
#include <sys/time.h>

static volatile sig_atomic_t end_requests, ticked;

static const int handled[] = {
	SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGALRM, SIGPIPE, SIGTSTP, SIGTTIN, SIGTTOU,
	SIGXFSZ,
};
#define NR_HANDLED (sizeof(handled) / sizeof(handled[0]))
static struct sigaction found[NR_HANDLED];

static void on_end(int signal)
{
	end_requests++;
}

static void on_tick(int signal)
{
	ticked = 1;
}

static void (*handler_of(int signal, bool with_command))(int)
{
	switch (signal) {
	case SIGALRM:
		return on_tick;
	case SIGPIPE: /* writes fail with EPIPE or EFBIG instead */
	case SIGXFSZ:
	case SIGTTIN:
	case SIGTTOU:
		return SIG_IGN;
	case SIGTSTP: /* the command stops with us; a target would hang in its next call */
		return with_command ? SIG_DFL : SIG_IGN;
	case SIGINT:
	case SIGQUIT:
		return with_command ? SIG_IGN : on_end;
	default:
		return on_end;
	}
}

void signals_install(bool with_command)
{
	for (size_t i = 0; i < NR_HANDLED; i++) {
		struct sigaction action = { .sa_handler = handler_of(handled[i], with_command) };

		/* No SA_RESTART: waitpid has to come back. */
		sigaction(handled[i], &action, &found[i]);
	}
}

void signals_restore(void)
{
	signals_tick_every(0);
	for (size_t i = 0; i < NR_HANDLED; i++)
		sigaction(handled[i], &found[i], NULL);
}

int signals_end_requests(void)
{
	return end_requests;
}

bool signals_ticked(void)
{
	bool was = ticked;

	ticked = 0;
	return was;
}

void signals_tick_every(int milliseconds)
{
	struct timeval interval = { .tv_usec = milliseconds * 1000 };

	setitimer(ITIMER_REAL, &(struct itimerval){ interval, interval }, NULL);
}
