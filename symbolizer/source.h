/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines of source files. */
#ifndef MEMTRACE_SYMBOLIZER_SOURCE_H
#define MEMTRACE_SYMBOLIZER_SOURCE_H

#include <stddef.h>
#include <stdint.h>

struct source_line {
	const char *text;	/* not terminated; valid until the next call */
	size_t bytes;
};

/* Without leading blanks, end of line and blanks before it; -ENOENT, or why the file cannot
 * be read. */
int source_line(const char *path, uint32_t line, struct source_line *out);

#endif
