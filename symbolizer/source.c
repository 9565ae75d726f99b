/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Paths come from debug information, hence from whoever made the file: only regular files are
 * read, opening blocks on nothing, and sizes are bounded.  The files of the last few lines are
 * kept, since a report asks for several lines of the same ones.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "source.h"
#include "wire.h"

#define SOURCE_BYTES_MAX (16 << 20)
#define NR_KEPT 4

struct source {
	char *path, *text;
	size_t bytes;
};

static struct source kept[NR_KEPT];
static size_t next_kept;

static void release(struct source *source)
{
	free(source->path);
	free(source->text);
	*source = (struct source){ 0 };
}

static ssize_t read_up_to(int fd, char *buffer, size_t bytes)
{
	size_t done = 0;
	ssize_t nr;

	while (done < bytes) {
		nr = read(fd, buffer + done, bytes - done);
		if (nr < 0 && errno != EINTR)
			return -errno;
		if (!nr)
			break;
		done += nr > 0 ? (size_t)nr : 0;
	}
	return (ssize_t)done;
}

static int read_file(int fd, struct source *source)
{
	struct stat status;
	ssize_t nr;

	if (fstat(fd, &status))
		return -errno;
	if (!S_ISREG(status.st_mode) || status.st_size > SOURCE_BYTES_MAX)
		return -ENOENT;
	source->text = malloc((size_t)status.st_size + 1);
	if (!source->text)
		return -ENOMEM;
	nr = read_up_to(fd, source->text, (size_t)status.st_size);
	if (nr < 0)
		return (int)nr;
	source->bytes = (size_t)nr;
	return 0;
}

static int load(const char *path, struct source *source)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	source->path = strdup(path);
	ret = source->path ? read_file(fd, source) : -ENOMEM;
	close(fd);
	if (ret)
		release(source);
	return ret;
}

static int find(const char *path, struct source **out)
{
	struct source *oldest = &kept[next_kept];
	int ret;

	for (size_t i = 0; i < NR_KEPT; i++) {
		if (kept[i].path && !strcmp(kept[i].path, path)) {
			*out = &kept[i];
			return 0;
		}
	}
	release(oldest);
	ret = load(path, oldest);
	if (ret)
		return ret;
	next_kept = (next_kept + 1) % NR_KEPT;
	*out = oldest;
	return 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

static struct source_line trim(const char *text, const char *end)
{
	const char *zero = memchr(text, '\0', (size_t)(end - text));

	if (zero)
		end = zero;
	while (text < end && is_blank(*text))
		text++;
	if (end - text > WIRE_LINE_MAX)
		end = text + WIRE_LINE_MAX;
	while (end > text && is_blank(end[-1]))
		end--;
	return (struct source_line){ text, (size_t)(end - text) };
}

int source_line(const char *path, uint32_t line, struct source_line *out)
{
	struct source *source;
	const char *text, *end, *newline;
	int ret = line ? find(path, &source) : -ENOENT;

	if (ret)
		return ret;
	text = source->text;
	end = text + source->bytes;
	while (--line && text < end) {
		newline = memchr(text, '\n', (size_t)(end - text));
		text = newline ? newline + 1 : end;
	}
	if (text == end)
		return -ENOENT;
	newline = memchr(text, '\n', (size_t)(end - text));
	*out = trim(text, newline ? newline : end);
	return 0;
}
