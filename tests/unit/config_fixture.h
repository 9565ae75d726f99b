/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files of options in a folder of this run. */
#ifndef MEMTRACE_TESTS_CONFIG_FIXTURE_H
#define MEMTRACE_TESTS_CONFIG_FIXTURE_H

#include <unistd.h>

#include "folder.h"

#define FILE_BYTES 65536
#define LINE_LONGEST 190
#define SYSTEM_PATH "/etc/memtrace.conf"

/* A test that hangs fails. */
static int setup(void **state)
{
	alarm(60);
	return 0;
}

/* One of `length` bytes between these. */
static inline const char *with_line(const char *before, const char *start,
				    size_t length, const char *after)
{
	static char text[4096];
	size_t used = (size_t)sprintf(text, "%s%s", before, start);

	memset(text + used, 'x', length - strlen(start));
	strcpy(text + used + length - strlen(start), after);
	return text;
}

/* The words after -c FILE with this text. */
#define PARSE(text, ...) \
	(write_file("conf", text), parse("-c", in_folder("conf"), __VA_ARGS__, NULL))
#define RUN(text, ...) runs(PARSE(text, __VA_ARGS__))

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
