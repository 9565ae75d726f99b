/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See utf8.h.  Overlong forms and surrogates are invalid (RFC 3629). */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"

static int nr_following(unsigned char first)
{
	if (first < 0x80)
		return 0;
	if (first < 0xc0 || first > 0xf7)
		return -1;
	return first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
}

static bool valid(uint32_t code, int following)
{
	static const uint32_t lowest[] = { 0, 0x80, 0x800, 0x10000 };

	return code >= lowest[following] && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
}

uint32_t utf8_next(const char **text)
{
	const unsigned char *at = (const unsigned char *)(*text)++;
	int following = nr_following(*at);
	uint32_t code;

	if (following <= 0)
		return following ? UTF8_REPLACEMENT : *at;
	code = *at & (0x3f >> following);
	for (int i = 1; i <= following; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return UTF8_REPLACEMENT;
		code = code << 6 | (at[i] & 0x3f);
	}
	if (!valid(code, following))
		return UTF8_REPLACEMENT;
	*text += following;
	return code;
}

size_t utf8_length(const char *text)
{
	size_t length = 0;

	for (; *text; length++)
		utf8_next(&text);
	return length;
}

char *utf8_valid(const char *text)
{
	char *copy = malloc(strlen(text) * strlen(UTF8_REPLACEMENT_TEXT) + 1), *end = copy;

	while (copy && *text) {
		const char *from = text;

		if (utf8_next(&text) == UTF8_REPLACEMENT)
			end = stpcpy(end, UTF8_REPLACEMENT_TEXT);
		else
			end = mempcpy(end, from, (size_t)(text - from));
	}
	if (copy)
		*end = '\0';
	return copy;
}
