/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Signal handlers that set flags, and the interval timer. */
#include "signals.h"

#include <signal.h>
#include <sys/time.h>

#include "target/seize.h"

static volatile sig_atomic_t end_requests, ticked;

static const int handled[] = {
	SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGALRM, SIGPIPE, SIGTSTP, SIGTTIN, SIGTTOU,
	SIGXFSZ, SIGCHLD, SIGURG,
};
#define NR_HANDLED (sizeof(handled) / sizeof(handled[0]))
static struct sigaction found[NR_HANDLED];
static void (*on_request)(void);
static const volatile int *others;

static void on_end(int signal)
{
	end_requests++;
	if (on_request)
		on_request();
}

static void on_tick(int signal)
{
	ticked = 1;
	seize_on_tick();
}

static void on_nudge(int signal)
{
}

static void (*handler_of(int signal, bool with_command))(int)
{
	switch (signal) {
	case SIGALRM:
		return on_tick;
	case SIGURG: /* of ours, to end a thread's wait; ignored but for that, as by default */
		return on_nudge;
	case SIGPIPE: /* writes fail with EPIPE or EFBIG instead */
	case SIGXFSZ:
	case SIGTTIN:
	case SIGTTOU:
		return SIG_IGN;
	case SIGCHLD: /* whoever started us may not wait for children; we do */
		return SIG_DFL;
	case SIGTSTP: /* the command stops with us; a target would hang in its next call */
		return with_command ? SIG_DFL : SIG_IGN;
	case SIGINT:
	case SIGQUIT:
		return with_command ? SIG_IGN : on_end;
	default:
		return on_end;
	}
}

/* nohup(1) asks for that; of SIGINT it is what a shell does to whatever is in its background. */
static bool stays_ignored(int signal, const struct sigaction *before)
{
	return signal == SIGHUP && before->sa_handler == SIG_IGN;
}

void signals_install(bool with_command, void (*asked)(void))
{
	on_request = asked;
	for (size_t i = 0; i < NR_HANDLED; i++) {
		struct sigaction action = { .sa_handler = handler_of(handled[i], with_command) };

		/* No SA_RESTART: waitpid has to come back. */
		sigaction(handled[i], &action, &found[i]);
		if (stays_ignored(handled[i], &found[i]))
			sigaction(handled[i], &found[i], NULL);
	}
}

void signals_restore(void)
{
	signals_tick_every(0);
	for (size_t i = 0; i < NR_HANDLED; i++)
		sigaction(handled[i], &found[i], NULL);
}

void signals_count_also(const volatile int *requests)
{
	others = requests;
}

int signals_end_requests(void)
{
	int of_others = others ? *others : 0;

	return end_requests > of_others ? end_requests : of_others;
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
