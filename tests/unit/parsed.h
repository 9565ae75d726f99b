/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Command lines parsed by the options, and what that prints. */
#ifndef MEMTRACE_TESTS_PARSED_H
#define MEMTRACE_TESTS_PARSED_H

#include <fcntl.h>
#include <getopt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../tracer/options.h"

#define WORDS_MAX 160

static struct options options;
static char printed[32768];	/* on either stream, by the last call */
static int capture_fd, saved_fds[2];

static void capture_begin(void)
{
	fflush(stdout);
	capture_fd = memfd_create("printed", MFD_CLOEXEC);
	assert_true(capture_fd >= 0);
	fcntl(capture_fd, F_SETFL, O_APPEND);
	for (int i = 0; i < 2; i++) {
		saved_fds[i] = dup(1 + i);
		assert_true(saved_fds[i] >= 0);
		dup2(capture_fd, 1 + i);
	}
}

static void capture_end(void)
{
	ssize_t got;

	fflush(stdout);
	for (int i = 0; i < 2; i++) {
		dup2(saved_fds[i], 1 + i);
		close(saved_fds[i]);
	}
	got = pread(capture_fd, printed, sizeof(printed) - 1, 0);
	printed[got > 0 ? got : 0] = '\0';
	close(capture_fd);
}

static void assert_printed(const char *words)
{
	if (!strstr(printed, words))
		fail_msg("\"%s\" is not in: %s", words, printed);
}

static void assert_one_line(void)
{
	const char *end = strchr(printed, '\n');

	if (!end || end[1])
		fail_msg("not one line: %s", printed);
}

static enum options_result parse_words(int argc, char **argv)
{
	enum options_result result;

	options_release(&options);	/* of the parse before */
	optind = 0;	/* glibc: start anew */
	capture_begin();
	result = options_parse(&options, argc, argv);
	capture_end();
	return result;
}

/* Words up to a NULL. */
static enum options_result parse(const char *first, ...)
{
	static char *argv[WORDS_MAX];	/* options.command points into it */
	int argc = 1;
	va_list words;

	argv[0] = "memtrace";
	va_start(words, first);
	for (const char *word = first; word && argc < WORDS_MAX - 1; word = va_arg(words, char *))
		argv[argc++] = (char *)word;
	va_end(words);
	argv[argc] = NULL;
	return parse_words(argc, argv);
}

/* Accepted without a word. */
static void runs(enum options_result result)
{
	assert_string_equal(printed, "");
	assert_int_equal(result, OPTIONS_RUN);
}

/* A process that is there, and is not this one. */
static inline const char *parent(void)
{
	static char text[16];

	snprintf(text, sizeof(text), "%d", getppid());
	return text;
}

#endif
