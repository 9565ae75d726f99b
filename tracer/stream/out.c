/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See out.h. */
#include "out.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FLAGS (O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY)

static int note_kind(struct out *out)
{
	struct stat status;

	if (fstat(out->fd, &status))
		return -errno;
	out->is_file = S_ISREG(status.st_mode);
	return 0;
}

/* A FIFO without a reader cannot be opened without waiting: that is for out_await(). */
static int open_path(struct out *out, const char *path)
{
	out->path = strdup(path);
	if (!out->path)
		return -ENOMEM;
	out->fd = open(path, FLAGS | O_NONBLOCK, 0666);
	if (out->fd < 0)
		return errno == ENXIO ? 0 : -errno;
	return fcntl(out->fd, F_SETFL, 0) ? -errno : note_kind(out);
}

/* Closed by whoever started us: that is for the first line to find out. */
static int copy(struct out *out, int standard)
{
	out->fd = fcntl(standard, F_DUPFD_CLOEXEC, 3);
	return out->fd < 0 ? -errno : note_kind(out);
}

int out_open(struct out *out, const char *path, int standard)
{
	int error;

	*out = (struct out){ .fd = -1 };
	error = path ? open_path(out, path) : copy(out, standard);
	if (error)
		out_close(out);
	return error;
}

/* With an error, too: a file system may have kept it for the end. */
void out_close(struct out *out)
{
	if (out->fd >= 0 && close(out->fd) && errno != EINTR)
		out->error = errno;
	free(out->path);
	out->path = NULL;
	out->fd = -1;
}

void out_await(struct out *out)
{
	while (out->fd < 0 && !out->giving_up) {
		out->fd = open(out->path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
		if (out->fd < 0 && errno != EINTR)
			break;
	}
	if (out->fd >= 0)
		return;
	out->error = out->giving_up ? ETIMEDOUT : errno;
	out->closed = true;
}

static uint64_t count_lines(const char *text, size_t bytes)
{
	const char *end = text + bytes;
	uint64_t nr = 0;

	while ((text = memchr(text, '\n', (size_t)(end - text)))) {
		nr++;
		text++;
	}
	return nr;
}

/* Up to the last end of a line that a pipe takes in one piece. */
static size_t piece(const struct out *out, const char *text, size_t bytes)
{
	const char *end;

	if (out->is_file || bytes <= PIPE_BUF)
		return bytes;
	end = memrchr(text, '\n', PIPE_BUF);
	return end ? (size_t)(end + 1 - text) : PIPE_BUF;
}

/* Whoever started us may have made it so. */
static void await_room(const struct out *out)
{
	struct pollfd entry = { .fd = out->fd, .events = POLLOUT };

	(void)poll(&entry, 1, 100);
}

/* How far it came: less than all is an error, or an end. */
static size_t write_piece(struct out *out, const char *text, size_t bytes)
{
	size_t done = 0;

	while (done < bytes && !out->giving_up) {
		ssize_t nr = write(out->fd, text + done, bytes - done);

		if (nr > 0)
			done += (size_t)nr;
		else if (errno == EAGAIN)
			await_room(out);
		else if (errno != EINTR)
			break;
	}
	if (done < bytes)
		out->error = out->giving_up ? ETIMEDOUT : errno;
	out->closed |= done < bytes && (out->error == EPIPE || out->error == EBADF);
	return done;
}

uint64_t out_write(struct out *out, const char *text, size_t bytes)
{
	uint64_t lost = 0;

	while (bytes && !out->closed && !out->giving_up) {
		size_t nr = piece(out, text, bytes), done;

		if (out->cut && !write_piece(out, "\n", 1))
			return lost + count_lines(text, bytes);
		done = write_piece(out, text, nr);
		out->cut = done ? done < nr && text[done - 1] != '\n' : false;
		lost += count_lines(text + done, nr - done);
		text += nr;
		bytes -= nr;
	}
	return lost + count_lines(text, bytes);
}

void out_renew(struct out *out)
{
	if (out->is_file && out->path && !ftruncate(out->fd, 0) && !lseek(out->fd, 0, SEEK_SET))
		out->cut = false;
}
