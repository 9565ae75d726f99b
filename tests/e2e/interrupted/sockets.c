/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sockets with a time limit, which the kernel does not start again, and connections. */
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "waits.h"

static void limit(int socket)
{
	struct timeval limit = { .tv_sec = LONG_S };

	MUST(setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0);
	MUST(setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) == 0);
}

static void socket_prepare(struct wait *wait)
{
	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, wait->fd) == 0);
	limit(wait->fd[0]);
	limit(wait->fd[1]);
}

static bool socket_recv(struct wait *wait)
{
	char c;

	return recv(wait->fd[0], &c, 1, 0) == 1;
}

static bool socket_recvmsg(struct wait *wait)
{
	char c;
	struct iovec vector = { &c, 1 };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };

	return recvmsg(wait->fd[0], &message, 0) == 1;
}

static bool socket_recvmmsg(struct wait *wait)
{
	char c;
	struct iovec vector = { &c, 1 };
	struct mmsghdr message = { .msg_hdr = { .msg_iov = &vector, .msg_iovlen = 1 } };

	return recvmmsg(wait->fd[0], &message, 1, 0, NULL) == 1;
}

static void full_socket_prepare(struct wait *wait)
{
	static char zeros[4096];

	socket_prepare(wait);
	while (send(wait->fd[1], zeros, sizeof(zeros), MSG_DONTWAIT) > 0)
		;
}

static void full_socket_bring(struct wait *wait)
{
	char bytes[4096];

	while (recv(wait->fd[0], bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
}

static bool socket_send(struct wait *wait)
{
	return send(wait->fd[1], "y", 1, 0) == 1;
}

static bool socket_sendmsg(struct wait *wait)
{
	struct iovec vector = { "y", 1 };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };

	return sendmsg(wait->fd[1], &message, 0) == 1;
}

static bool socket_sendmmsg(struct wait *wait)
{
	struct iovec vector = { "y", 1 };
	struct mmsghdr message = { .msg_hdr = { .msg_iov = &vector, .msg_iovlen = 1 } };

	return sendmmsg(wait->fd[1], &message, 1, 0) == 1;
}

static bool socket_splice(struct wait *wait)
{
	return splice(wait->fd[0], NULL, wait->other, NULL, 1, 0) == 1;
}

static void splice_prepare(struct wait *wait)
{
	int to[2];

	socket_prepare(wait);
	MUST(pipe2(to, O_CLOEXEC) == 0);
	wait->other = to[1];
}

/* Listening and connecting; the kernel finds the address */

static socklen_t address_of(int socket, struct sockaddr_storage *address)
{
	socklen_t bytes = sizeof(*address);

	MUST(getsockname(socket, (struct sockaddr *)address, &bytes) == 0);
	return bytes;
}

static int listener(int family, int backlog)
{
	struct sockaddr_in inet = { .sin_family = AF_INET,
				    .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct sockaddr_un local = { .sun_family = AF_UNIX };
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (family == AF_INET)
		MUST(bind(fd, (struct sockaddr *)&inet, sizeof(inet)) == 0);
	else
		MUST(bind(fd, (struct sockaddr *)&local, sizeof(sa_family_t)) == 0);
	MUST(listen(fd, backlog) == 0);
	limit(fd);
	return fd;
}

static bool connects(int fd, int to, int flags)
{
	struct sockaddr_storage address;
	socklen_t bytes = address_of(to, &address);

	(void)fcntl(fd, F_SETFL, flags);
	return connect(fd, (struct sockaddr *)&address, bytes) == 0;
}

static void listen_prepare(struct wait *wait)
{
	wait->other = listener(AF_UNIX, 5);
}

static bool listen_accept(struct wait *wait)
{
	return accept(wait->other, NULL, NULL) >= 0;
}

static bool listen_accept4(struct wait *wait)
{
	return accept4(wait->other, NULL, NULL, SOCK_CLOEXEC) >= 0;
}

static void listen_bring(struct wait *wait)
{
	MUST(connects(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), wait->other, 0));
}

/* Nobody more is let in until one is accepted. */
static void full_listener(struct wait *wait, int family)
{
	int fd;

	wait->other = listener(family, 0);
	do {
		fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	} while (connects(fd, wait->other, O_NONBLOCK));
	wait->fd[0] = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	limit(wait->fd[0]);
}

static void full_local_prepare(struct wait *wait)
{
	full_listener(wait, AF_UNIX);
}

static void full_inet_prepare(struct wait *wait)
{
	full_listener(wait, AF_INET);
}

static bool listen_connect(struct wait *wait)
{
	return connects(wait->fd[0], wait->other, 0);
}

static void full_bring(struct wait *wait)
{
	MUST(accept(wait->other, NULL, NULL) >= 0);
	MUST(fcntl(wait->other, F_SETFL, O_NONBLOCK) == 0);
	while (!wait->ended) {
		(void)accept(wait->other, NULL, NULL);
		usleep(1000);
	}
}

const struct way sockets_ways[] = {
	{ "read of a socket", socket_prepare, pipe_read, pipe_bring },
	{ "readv of a socket", socket_prepare, pipe_readv, pipe_bring },
	{ "recv", socket_prepare, socket_recv, pipe_bring },
	{ "recvmsg", socket_prepare, socket_recvmsg, pipe_bring },
	{ "recvmmsg", socket_prepare, socket_recvmmsg, pipe_bring },
	{ "write to a socket", full_socket_prepare, pipe_write, full_socket_bring },
	{ "send", full_socket_prepare, socket_send, full_socket_bring },
	{ "sendmsg", full_socket_prepare, socket_sendmsg, full_socket_bring },
	{ "sendmmsg", full_socket_prepare, socket_sendmmsg, full_socket_bring },
	{ "splice of a socket", splice_prepare, socket_splice, pipe_bring },
	{ "sendfile to a socket", full_socket_prepare, pipe_sendfile, full_socket_bring },
	{ "accept", listen_prepare, listen_accept, listen_bring },
	{ "accept4", listen_prepare, listen_accept4, listen_bring },
	{ "connect", full_local_prepare, listen_connect, full_bring },
	{ "connect by TCP", full_inet_prepare, listen_connect, full_bring },
	{ NULL },
};
