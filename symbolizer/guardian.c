/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All that a server may not do is settled here, before the first one is forked.  Signals that a
 * terminal sends to the whole group are the tracer's to handle: its report still needs names.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guardian.h"
#include "modules.h"
#include "sandbox.h"
#include "server.h"
#include "symbols.h"

/* XFSZ: a file that becomes too long costs the rules, by an error of write(2). */
static void reset_signals(void)
{
	static const int ignored[] = { SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGALRM, SIGPIPE, SIGXFSZ };
	sigset_t none;

	for (int number = 1; number < _NSIG; number++)
		signal(number, SIG_DFL);
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The libraries get nothing to read or to write on: messages are the tracer's. */
static int close_descriptors(int control)
{
	int null = open("/dev/null", O_RDWR);

	if (null < 0)
		return -errno;
	for (int fd = 0; fd <= 2; fd++)
		if (fd != control && dup2(null, fd) < 0)
			return -errno;
	if (control > 3)
		close_range(3, (unsigned int)control - 1, 0);
	close_range((unsigned int)(control > 2 ? control : 2) + 1, ~0u, 0);
	return 0;
}

static int die_with(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		return -errno;
	return getppid() == parent ? 0 : -ESRCH;
}

/* A change of the user clears PDEATHSIG. */
static int confine(const struct symbolizer_config *config, int control, pid_t tracer)
{
	const char *urls = getenv("DEBUGINFOD_URLS");
	int ret;

	prctl(PR_SET_NAME, "memtrace-symbol");
	reset_signals();
	ret = close_descriptors(control);
	if (!ret)
		ret = sandbox_enter(urls && *urls);
	if (!ret)
		ret = die_with(tracer);
	return ret ? ret : modules_init(config->debug_dirs, config->nr_debug_dirs);
}

static pid_t start_server(const struct wanted *wanted, int control, const int sockets[2])
{
	pid_t guardian = getpid(), pid = fork();

	if (pid)
		return pid;
	close(control);
	close(sockets[0]);
	if (die_with(guardian))
		_exit(1);
	sandbox_forbid_calls(!modules_never_download());
	server_run(wanted, sockets[1]);
}

static int hand_over(int control, int socket)
{
	struct wire_buffer empty = { 0 };
	int ret = wire_send(control, &empty, WIRE_SERVER, 0, socket, WIRE_FOREVER);

	wire_buffer_release(&empty);
	return ret;
}

static int await_wish(int control)
{
	struct wire_message wish;
	int ret = wire_receive(control, 0, WIRE_FOREVER, &wish);

	if (!ret)
		wire_message_release(&wish);
	return ret;
}

/* One server, until the tracer wants another one. */
static int run_server(const struct wanted *wanted, int control)
{
	int sockets[2], ret;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets))
		return -errno;
	pid = start_server(wanted, control, sockets);
	ret = pid < 0 ? -EAGAIN : hand_over(control, sockets[0]);
	close(sockets[0]);
	close(sockets[1]);
	if (!ret)
		ret = await_wish(control);
	if (pid > 0 && !kill(pid, SIGKILL))
		waitpid(pid, NULL, 0);
	return ret;
}

void guardian_run(const struct symbolizer_config *config, int control, pid_t tracer)
{
	struct wanted wanted;

	if (confine(config, control, tracer) ||
	    wanted_init(&wanted, config->names, config->nr_names))
		_exit(1);
	while (!run_server(&wanted, control))
		;
	_exit(0);
}
