/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A server that has been late or wrong once is not asked again: the guardian, which starts
 * another one, ends it.  How often is bounded, so that a target full of hostile files costs no
 * more time than a few that hang, and their crashes.
 */
#include "connection.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../tracer/base/clock.h"
#include "guardian.h"

#define SERVERS_MAX 64
#define LATE_MAX 3
#define START_LIMIT_NS (10ull * 1000000000)
#define LEAVE_MS 500

static int fork_guardian(const struct symbolizer_config *config, const int sockets[2], pid_t *out)
{
	pid_t tracer = getpid(), pid = fork();

	if (pid < 0)
		return -errno;
	if (!pid)
		guardian_run(config, sockets[1], tracer);
	*out = pid;
	return 0;
}

int connection_start(const struct symbolizer_config *config, struct connection *out)
{
	struct connection connection = { .socket = -1, .give_up = config->give_up };
	int sockets[2], ret;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets))
		return -errno;
	ret = fork_guardian(config, sockets, &connection.pid);
	close(sockets[1]);
	if (ret) {
		close(sockets[0]);
		return ret;
	}
	connection.control = sockets[0];
	*out = connection;
	return 0;
}

static void close_server(struct connection *connection)
{
	if (connection->socket >= 0)
		close(connection->socket);
	connection->socket = -1;
}

static pid_t reap(pid_t pid, int flags)
{
	pid_t ret;

	do
		ret = waitpid(pid, NULL, flags);
	while (ret < 0 && errno == EINTR);
	return ret;
}

/* True once it is no child of ours any more, whoever has reaped it. */
static bool has_left(pid_t pid)
{
	for (int ms = 0; ms < LEAVE_MS; ms++) {
		if (reap(pid, WNOHANG))
			return true;
		usleep(1000);
	}
	return false;
}

/*
 * At the end of its stream the guardian ends its server, reaps it and leaves.  One that does not
 * is killed, and its server dies with it.  Once the tracer has reaped it in a waitpid(-1), its id
 * may be another process's: only a child that is still there is killed, and waited for if we may
 * kill it.
 */
void connection_end(struct connection *connection)
{
	if (connection_has_ended(connection))
		return;
	close_server(connection);
	close(connection->control);
	connection->control = -1;
	if (!has_left(connection->pid) && !kill(connection->pid, SIGKILL))
		reap(connection->pid, 0);
}

bool connection_has_ended(const struct connection *connection)
{
	return connection->control < 0;
}

/* Whether the guardian is to go on after this. */
static bool may_go_on(const struct connection *connection, int error)
{
	return error != -ECANCELED && connection->nr_late < LATE_MAX &&
	       connection->nr_servers < SERVERS_MAX;
}

static int fail(struct connection *connection, int error)
{
	close_server(connection);
	connection->nr_late += error == -ETIMEDOUT;
	if (!may_go_on(connection, error))
		connection_end(connection);
	return error == -ETIMEDOUT ? -ETIMEDOUT : -EPIPE;
}

int connection_refuse(struct connection *connection)
{
	return fail(connection, -EPROTO);
}

static int wish_for_another(struct connection *connection, const struct wire_patience *patience)
{
	struct wire_buffer wish = { 0 };
	int ret = wire_send(connection->control, &wish, WIRE_SERVER, 0, -1, patience);

	wire_buffer_release(&wish);
	return ret;
}

/* The first one comes unasked. */
static int receive_server(struct connection *connection, struct wire_message *message)
{
	const struct wire_patience patience = {
		.deadline_ns = clock_ns() + START_LIMIT_NS, .give_up = connection->give_up,
	};
	int ret = connection->nr_servers ? wish_for_another(connection, &patience) : 0;

	return ret ? ret : wire_receive(connection->control, 0, &patience, message);
}

int connection_ready(struct connection *connection)
{
	struct wire_message message;

	if (connection->socket >= 0)
		return 0;
	if (connection_has_ended(connection))
		return -EPIPE;
	if (receive_server(connection, &message) || message.fd < 0) {
		connection_end(connection);
		return -EPIPE;
	}
	connection->socket = message.fd;
	connection->nr_servers++;
	message.fd = -1;
	wire_message_release(&message);
	return 0;
}

static int exchange(struct connection *connection, struct wire_buffer *request,
		    enum wire_type type, int fd, const struct connection_limits *limits,
		    struct wire_message *reply)
{
	const struct wire_patience patience = {
		.deadline_ns = clock_ns() + limits->ns, .give_up = connection->give_up,
	};
	int ret = wire_send(connection->socket, request, type, 0, fd, &patience);

	if (!ret)
		ret = wire_receive(connection->socket, limits->reply_bytes, &patience, reply);
	return ret;
}

int connection_ask(struct connection *connection, struct wire_buffer *request, enum wire_type type,
		   int fd, const struct connection_limits *limits, struct wire_message *reply)
{
	struct wire_message message;
	int ret = exchange(connection, request, type, fd, limits, &message);

	wire_buffer_release(request);
	if (ret)
		return fail(connection, ret);
	ret = message.header.result;
	if (message.header.type != type || ret > 0 || ret < -4095) {
		wire_message_release(&message);
		return connection_refuse(connection);
	}
	if (ret)
		wire_message_release(&message);
	else
		*reply = message;
	return ret == -EPIPE || ret == -ETIMEDOUT ? -EIO : ret;
}
