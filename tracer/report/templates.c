/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See templates.h.  The '<' and '>' of operators open and close nothing. */
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "templates.h"

#define FOLDED "<...>"

static bool ends_with(const char *start, const char *end, const char *word)
{
	size_t length = strlen(word);

	return (size_t)(end - start) >= length && !memcmp(end - length, word, length);
}

static bool in_operator(const char *name, const char *at)
{
	static const char *const before[] = {
		"operator", "operator<", "operator>", "operator-", "operator<=",
	};

	for (size_t i = 0; i < sizeof(before) / sizeof(*before); i++)
		if (ends_with(name, at, before[i]))
			return true;
	return false;
}

/* Past the '>' that closes the '<' at open; NULL if nothing does. */
static const char *past_arguments(const char *name, const char *open)
{
	int depth = 0;

	for (const char *at = open; *at; at++) {
		if (in_operator(name, at))
			continue;
		depth += *at == '<';
		depth -= *at == '>';
		if (!depth)
			return at + 1;
	}
	return NULL;
}

/* A '<' that opens arguments: in what is written so far there is no operator before it. */
static bool opens(const char *name, const char *out, char c)
{
	return c == '<' && !ends_with(name, out, "operator") && !ends_with(name, out, "operator<");
}

void templates_fold(char *name)
{
	char *out = name;
	const char *at = name;

	while (*at) {
		const char *end = opens(name, out, *at) ? past_arguments(at, at) : at;

		if (!end)	/* a name of no sense: left as it is, whatever it costs in width */
			break;
		if ((size_t)(end - at) > strlen(FOLDED)) {
			out = mempcpy(out, FOLDED, strlen(FOLDED));
			at = end;
		} else {
			*out++ = *at++;
		}
	}
	memmove(out, at, strlen(at) + 1);
}
