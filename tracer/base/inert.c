/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a target calls itself, its functions and its files is up to the target: it may hold
 * escape sequences, or characters that make a line read backwards.  Nothing of it is printed
 * other than through here.
 */
#include "inert.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "utf8.h"

#define MORE "..."

static bool harmful(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code <= 0x9f) ||
	       (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

/* One character, as it may be shown; *text moves past it.  The number of bytes. */
static size_t show(char *buffer, size_t bytes, const char **text)
{
	const char *from = *text;
	uint32_t code = utf8_next(text);

	if (code == UTF8_REPLACEMENT)
		return (size_t)snprintf(buffer, bytes, UTF8_REPLACEMENT_TEXT);
	if (harmful(code))
		return (size_t)snprintf(buffer, bytes, code < 0x80 ? "\\x%02x" : "\\u%04x", code);
	memcpy(buffer, from, (size_t)(*text - from));
	return (size_t)(*text - from);
}

const char *inert(char *buffer, size_t bytes, const char *text)
{
	size_t used = 0, cut = 0;	/* cut: where MORE still fits */
	char shown[8];

	while (*text) {
		size_t length = show(shown, sizeof(shown), &text);

		if (used + length >= bytes) {
			used = cut;
			snprintf(buffer + used, bytes - used, MORE);
			return buffer;
		}
		memcpy(buffer + used, shown, length);
		used += length;
		if (used + sizeof(MORE) <= bytes)
			cut = used;
	}
	buffer[used] = '\0';
	return buffer;
}
