/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A report made wrong: the same for the same number.  Some are cut short or have other bytes; in
 * most, values are replaced by others that are JSON as well.
 */
#ifndef MEMTRACE_TESTS_REPORT_VARIANTS_H
#define MEMTRACE_TESTS_REPORT_VARIANTS_H

#include <ctype.h>
#include <string.h>

#include "mutate.h"

#define CHANGES_MOST 6
#define REPORT_GROWTH_MOST 4096

static const char *const values[] = {
	"0", "-1", "1", "4294967295", "9223372036854775807", "9223372036854775808", "1e308", "1.5",
	"null", "true", "false", "[]", "{}", "\"\"", "\"0x\"", "\"0x0\"", "\"0xffffffffffffffff\"",
	"\"0x7fffffffffff\"", "\"\\u001b[2J\\u009b\\n\"", "[null]", "[[[[]]]]", "{\"a\":0}",
	"\"abc\"", "\"killed\"", "\"exited\"", "\"detached\"", "\"incomplete\"", "\"growing\"", "\"no-leak\"",
	"\"break\"",
};

/* Where a number, a string or a word begins. */
static size_t find_value(struct bytes text, size_t at)
{
	while (at < text.nr && !(text.at[at] == ':' || text.at[at] == '['))
		at++;
	at++;
	while (at < text.nr && isspace(text.at[at]))
		at++;
	return at;
}

static size_t end_of_value(struct bytes text, size_t at)
{
	if (text.at[at] == '"') {
		for (at++; at < text.nr && text.at[at] != '"'; at++)
			at += text.at[at] == '\\';
		return at + 1;
	}
	while (at < text.nr && (isalnum(text.at[at]) || strchr("+-.", text.at[at])))
		at++;
	return at;
}

static void replace(struct bytes *text, struct random *random)
{
	const char *value = values[random_below(random, sizeof(values) / sizeof(values[0]))];
	size_t start = find_value(*text, random_below(random, text->nr)), bytes = strlen(value), end;

	if (start >= text->nr)
		return;
	end = end_of_value(*text, start);
	if (end > text->nr)
		end = text->nr;
	memmove(text->at + start + bytes, text->at + end, text->nr - end);
	memcpy(text->at + start, value, bytes);
	text->nr = text->nr - (end - start) + bytes;
}

/* The text has room for so much more. */
static void report_change(struct bytes *text, uint64_t seed)
{
	struct random random = { seed };

	if (seed % 16 == 1)
		text->nr = random_below(&random, text->nr);
	for (uint64_t i = random_below(&random, CHANGES_MOST); i-- && text->nr;)
		if (seed % 4)
			replace(text, &random);
		else
			text->at[random_below(&random, text->nr)] = (uint8_t)random_next(&random);
}

#endif
