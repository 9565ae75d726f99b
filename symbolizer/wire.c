/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Framed messages with an optional descriptor (SCM_RIGHTS, sent with the first bytes).  Every
 * wait is a poll with what is left until the deadline; the socket calls never block.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../tracer/base/clock.h"
#include "wire.h"

int wire_append(struct wire_buffer *buffer, const void *data, size_t bytes)
{
	size_t start = buffer->nr ? buffer->nr : sizeof(struct wire_header);
	size_t room = buffer->room ? buffer->room : 4096;
	char *grown;

	while (room < start + bytes)
		room *= 2;
	if (room > buffer->room) {
		grown = realloc(buffer->items, room);
		if (!grown)
			return -ENOMEM;
		buffer->items = grown;
		buffer->room = room;
	}
	if (bytes)
		memcpy(buffer->items + start, data, bytes);
	buffer->nr = start + bytes;
	return 0;
}

void wire_buffer_release(struct wire_buffer *buffer)
{
	free(buffer->items);
	*buffer = (struct wire_buffer){ 0 };
}

static int poll_timeout_ms(const struct wire_patience *patience)
{
	uint64_t now_ns = clock_ns(), left_ms;

	if (!patience)
		return -1;
	if (now_ns >= patience->deadline_ns)
		return 0;
	left_ms = (patience->deadline_ns - now_ns) / 1000000 + 1;
	return left_ms > INT_MAX ? INT_MAX : (int)left_ms;
}

static int wait_ready(int socket, short events, const struct wire_patience *patience)
{
	struct pollfd entry = { .fd = socket, .events = events };
	int nr;

	do {
		if (patience && patience->give_up && patience->give_up())
			return -ECANCELED;
		nr = poll(&entry, 1, poll_timeout_ms(patience));
	} while (nr < 0 && errno == EINTR);
	if (nr < 0)
		return -errno;
	return nr ? 0 : -ETIMEDOUT;
}

/* 0: try again, the socket is ready. */
static int recover(int socket, short events, const struct wire_patience *patience)
{
	if (errno == EINTR)
		return 0;
	if (errno == EAGAIN)
		return wait_ready(socket, events, patience);
	return errno == ECONNRESET ? -EPIPE : -errno;
}

union descriptor_control {
	char bytes[CMSG_SPACE(sizeof(int))];
	struct cmsghdr header;
};

static void attach_descriptor(struct msghdr *msg, union descriptor_control *control, int fd)
{
	memset(control, 0, sizeof(*control));
	control->header = (struct cmsghdr){
		.cmsg_len = CMSG_LEN(sizeof(int)),
		.cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS,
	};
	memcpy(CMSG_DATA(&control->header), &fd, sizeof(fd));
	msg->msg_control = control;
	msg->msg_controllen = sizeof(*control);
}

static int send_all(int socket, const char *data, size_t bytes, int fd,
		    const struct wire_patience *patience)
{
	union descriptor_control control;
	size_t done = 0;

	while (done < bytes) {
		struct iovec part = { (void *)(data + done), bytes - done };
		struct msghdr msg = { .msg_iov = &part, .msg_iovlen = 1 };
		ssize_t sent;
		int ret;

		if (fd >= 0 && !done)
			attach_descriptor(&msg, &control, fd);
		sent = sendmsg(socket, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent >= 0) {
			done += (size_t)sent;
			continue;
		}
		ret = recover(socket, POLLOUT, patience);
		if (ret)
			return ret;
	}
	return 0;
}

int wire_send(int socket, struct wire_buffer *buffer, uint32_t type, int result, int fd,
	      const struct wire_patience *patience)
{
	struct wire_header header = { .type = type, .result = result };

	if (wire_append(buffer, NULL, 0))
		return -ENOMEM;
	if (buffer->nr - sizeof(header) > UINT32_MAX)
		return -EMSGSIZE;
	header.bytes = (uint32_t)(buffer->nr - sizeof(header));
	memcpy(buffer->items, &header, sizeof(header));
	return send_all(socket, buffer->items, buffer->nr, fd, patience);
}

static void keep_descriptor(struct msghdr *msg, int *fd)
{
	struct cmsghdr *control = CMSG_FIRSTHDR(msg);
	int received;

	if (!control || control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS ||
	    control->cmsg_len != CMSG_LEN(sizeof(int)))
		return;
	memcpy(&received, CMSG_DATA(control), sizeof(received));
	if (*fd >= 0)
		close(*fd);
	*fd = received;
}

/* The control length has room for exactly one descriptor: the kernel drops any further one. */
static int receive_all(int socket, void *data, size_t bytes, int *fd,
		       const struct wire_patience *patience)
{
	union descriptor_control control;
	size_t done = 0;

	while (done < bytes) {
		struct iovec part = { (char *)data + done, bytes - done };
		struct msghdr msg = { .msg_iov = &part, .msg_iovlen = 1 };
		ssize_t got;
		int ret;

		if (fd) {
			msg.msg_control = &control;
			msg.msg_controllen = CMSG_LEN(sizeof(int));
		}
		got = recvmsg(socket, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		if (!got)
			return -EPIPE;
		if (got > 0) {
			if (fd)
				keep_descriptor(&msg, fd);
			done += (size_t)got;
			continue;
		}
		ret = recover(socket, POLLIN, patience);
		if (ret)
			return ret;
	}
	return 0;
}

static int receive_body(int socket, size_t max_bytes, const struct wire_patience *patience,
			struct wire_message *message)
{
	size_t bytes = message->header.bytes;

	if (bytes > max_bytes)
		return -EPROTO;
	message->body = malloc(bytes + 1);
	if (!message->body)
		return -ENOMEM;
	message->body[bytes] = '\0';
	return receive_all(socket, message->body, bytes, NULL, patience);
}

int wire_receive(int socket, size_t max_bytes, const struct wire_patience *patience,
		 struct wire_message *out)
{
	struct wire_message message = { .fd = -1 };
	int ret;

	ret = receive_all(socket, &message.header, sizeof(message.header), &message.fd,
			  patience);
	if (!ret)
		ret = receive_body(socket, max_bytes, patience, &message);
	if (ret)
		wire_message_release(&message);
	else
		*out = message;
	return ret;
}

void wire_message_release(struct wire_message *message)
{
	if (message->fd >= 0)
		close(message->fd);
	free(message->body);
	message->body = NULL;
	message->fd = -1;
}
