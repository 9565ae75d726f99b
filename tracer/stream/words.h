/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A line that is being put together, much faster than by printf.  What does not fit is left
 * out; the end of the line always fits.  Plain data; one thread.
 */
#ifndef MEMTRACE_STREAM_WORDS_H
#define MEMTRACE_STREAM_WORDS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define WORDS_BYTES 2048

struct words {
	size_t nr;
	char bytes[WORDS_BYTES];
};

static inline void words_add_bytes(struct words *words, const char *text, size_t bytes)
{
	size_t room = WORDS_BYTES - 1 - words->nr;

	if (bytes > room)
		bytes = room;
	memcpy(words->bytes + words->nr, text, bytes);
	words->nr += bytes;
}

static inline void words_add(struct words *words, const char *text)
{
	words_add_bytes(words, text, strlen(text));
}

/* In this base, filled up with `fill` to so many characters. */
static inline void words_add_digits(struct words *words, uint64_t number, unsigned base,
				    unsigned least, char fill)
{
	char digits[64];
	unsigned at = sizeof(digits);

	do
		digits[--at] = "0123456789abcdef"[number % base];
	while ((number /= base));
	while (sizeof(digits) - at < least && at)
		digits[--at] = fill;
	words_add_bytes(words, digits + at, sizeof(digits) - at);
}

static inline void words_add_number(struct words *words, uint64_t number)
{
	words_add_digits(words, number, 10, 1, ' ');
}

static inline void words_add_hex(struct words *words, uint64_t number)
{
	words_add(words, "0x");
	words_add_digits(words, number, 16, 1, '0');
}

static inline void words_end(struct words *words)
{
	words->bytes[words->nr++] = '\n';
}

#endif
