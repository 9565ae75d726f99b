/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text that may hold any byte, read as UTF-8 as far as it is. */
#ifndef MEMTRACE_REPORT_UTF8_H
#define MEMTRACE_REPORT_UTF8_H

#include <stddef.h>
#include <stdint.h>

#define UTF8_REPLACEMENT 0xfffd
#define UTF8_REPLACEMENT_TEXT "\xef\xbf\xbd"

/* The character at *text, which moves past it; for a byte that is no part of a valid
 * character UTF8_REPLACEMENT.  Not to be called at the end of the text. */
uint32_t utf8_next(const char **text);

/* Characters in the text, which is about the columns it takes. */
size_t utf8_length(const char *text);

/* A copy in valid UTF-8, to be freed; NULL for want of memory. */
char *utf8_valid(const char *text);

#endif
