/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inih has no line numbers for us, and takes an indented line for more of the one before: so it
 * is given each line by read_line(), which counts them and takes away what is around the words. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONFIG_BYTES_MAX 65536
#define SYSTEM_PATH "/etc/memtrace.conf"
#define BYTE_ORDER_MARK "\xef\xbb\xbf"
#define BLANKS " \t\v\f\r"		/* what inih takes for such, in a line */

struct reader {
	const char *rest;
	unsigned line;
	unsigned wrong;			/* the first line too long, or a section; 0: none */
	config_entry entry;
	void *owner;
};

static char *user_path(void)
{
	const char *folder = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	char *path = NULL;

	if (folder && *folder == '/' && asprintf(&path, "%s/memtrace.conf", folder) >= 0)
		return path;
	if (home && *home && asprintf(&path, "%s/.config/memtrace.conf", home) >= 0)
		return path;
	return NULL;
}

char *config_default_path(void)
{
	char *path = user_path();

	if ((path && !access(path, F_OK)) || access(SYSTEM_PATH, F_OK))
		return path;
	free(path);
	return strdup(SYSTEM_PATH);
}

/* A pipe's end is not waited for. */
static ssize_t read_all(const char *path, char *buffer, size_t bytes)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ssize_t got = 1, error;
	size_t used = 0;

	if (fd < 0)
		return -errno;
	while (got > 0 && used < bytes) {
		got = read(fd, buffer + used, bytes - used);
		used += got > 0 ? (size_t)got : 0;
	}
	error = got < 0 ? -errno : 0;
	close(fd);
	return error ? error : (ssize_t)used;
}

int config_read(const char *path, char **out_text)
{
	char *text = malloc(CONFIG_BYTES_MAX);
	ssize_t bytes = text ? read_all(path, text, CONFIG_BYTES_MAX) : -ENOMEM;

	if (bytes == CONFIG_BYTES_MAX)
		bytes = -EFBIG;
	else if (bytes > 0 && memchr(text, '\0', (size_t)bytes))
		bytes = -EILSEQ;
	if (bytes < 0) {
		free(text);
		return (int)bytes;
	}
	text[bytes] = '\0';
	*out_text = text;
	return 0;
}

/* "memleak = 0  # for the night": a comment begins a line, or after a blank. */
static size_t length_without_comment(const char *line, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (strchr("#;", line[i]) && (!i || strchr(BLANKS, line[i - 1])))
			return i;
	return length;
}

static size_t length_of_words(const char *line, size_t length)
{
	length = length_without_comment(line, length);
	while (length && strchr(BLANKS, line[length - 1]))
		length--;
	return length;
}

/* As fgets() does it.  There are no sections; inih tells of one only with an entry in it. */
static char *read_line(char *buffer, int room, void *stream)
{
	struct reader *reader = stream;
	const char *start = reader->rest + strspn(reader->rest, BLANKS);
	size_t length = strcspn(start, "\n");
	bool too_long;

	if (!*reader->rest)
		return NULL;
	reader->line++;
	reader->rest = start + length + (start[length] == '\n');
	length = length_of_words(start, length);
	too_long = length > CONFIG_LINE_MAX || length + 2 > (size_t)room;
	if (!reader->wrong && (too_long || *start == '['))
		reader->wrong = reader->line;
	if (too_long)
		length = 0;
	memcpy(buffer, start, length);
	buffer[length] = '\0';
	return buffer;
}

static int take_entry(void *owner, const char *section, const char *key, const char *value)
{
	struct reader *reader = owner;

	if (!*section)
		reader->entry(reader->owner, reader->line, key, value);
	return 1;
}

static unsigned first_of(unsigned a, unsigned b)
{
	return !a || (b && b < a) ? b : a;
}

unsigned config_parse(const char *text, config_entry entry, void *owner)
{
	struct reader reader = { .rest = text, .entry = entry, .owner = owner };
	int wrong;

	if (!strncmp(text, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK)))
		reader.rest += strlen(BYTE_ORDER_MARK);
	wrong = ini_parse_stream(read_line, &reader, take_entry, &reader);
	return first_of(wrong > 0 ? (unsigned)wrong : 0, reader.wrong);
}
