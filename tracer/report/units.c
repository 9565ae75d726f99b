/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See units.h.  Times keep two or three figures: more would pretend to be exact. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "units.h"

struct words units_number(uint64_t number)
{
	struct words words;
	char digits[24], *out = words.text;
	int nr = snprintf(digits, sizeof(digits), "%" PRIu64, number);

	for (int i = 0; i < nr; i++) {
		if (i && (nr - i) % 3 == 0)
			*out++ = ',';
		*out++ = digits[i];
	}
	*out = '\0';
	return words;
}

struct words units_count(uint64_t number, const char *noun)
{
	struct words words;

	snprintf(words.text, sizeof(words.text), "%.40s %.15s%s", units_number(number).text, noun,
		 number == 1 ? "" : "s");
	return words;
}

/* From two minutes on. */
static struct words long_time(uint64_t seconds)
{
	static const struct scale {
		uint64_t from, unit, part;
		const char *unit_name, *part_name;
	} scales[] = {
		{ 48 * 3600, 24 * 3600, 3600, "d", "h" },
		{ 2 * 3600, 3600, 60, "h", "min" },
		{ 0, 60, 1, "min", "s" },
	};
	const struct scale *scale = scales;
	struct words words;

	while (seconds < scale->from)
		scale++;
	snprintf(words.text, sizeof(words.text), "%" PRIu64 " %s %" PRIu64 " %s",
		 seconds / scale->unit, scale->unit_name,
		 seconds % scale->unit / scale->part, scale->part_name);
	return words;
}

struct words units_time(uint64_t ns)
{
	struct words words;

	if (ns >= 120000000000)
		return long_time(ns / 1000000000);
	if (ns < 1000)
		snprintf(words.text, sizeof(words.text), "%" PRIu64 " ns", ns);
	else if (ns < 10000)
		snprintf(words.text, sizeof(words.text), "%.1f us", (double)ns / 1e3);
	else if (ns < 1000000)
		snprintf(words.text, sizeof(words.text), "%.2f ms", (double)ns / 1e6);
	else if (ns < 100000000)
		snprintf(words.text, sizeof(words.text), "%.1f ms", (double)ns / 1e6);
	else if (ns < 1000000000)
		snprintf(words.text, sizeof(words.text), "%.2f s", (double)ns / 1e9);
	else
		snprintf(words.text, sizeof(words.text), "%.1f s", (double)ns / 1e9);
	return words;
}

struct words units_mib(uint64_t bytes)
{
	struct words words;

	snprintf(words.text, sizeof(words.text), "%.1f", (double)bytes / (1 << 20));
	return words;
}

struct words units_about(uint64_t number)
{
	uint64_t unit = 1;

	while (number / unit >= 1000)
		unit *= 10;
	return units_number((number + unit / 2) / unit * unit);
}

struct words units_size(uint64_t bytes)
{
	static const char *const names[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double size = (double)bytes / 1024;
	struct words words;
	size_t i = 0;

	if (bytes < 1024)
		return units_count(bytes, "byte");
	for (; size >= 999.5 && i < 5; i++)
		size /= 1024;
	snprintf(words.text, sizeof(words.text), "%.*f %s",
		 size == (double)(uint64_t)size ? 0 : size < 9.995 ? 2 : size < 99.95 ? 1 : 0,
		 size, names[i]);
	return words;
}

struct words units_error(uint64_t error, uint64_t number)
{
	double percent = number ? 100 * (double)error / (double)number : 0;
	struct words words;

	snprintf(words.text, sizeof(words.text), "+- %.*f %%", percent && percent < 0.95 ? 1 : 0,
		 percent);
	return words;
}

uint64_t units_per_second(uint64_t bytes, uint64_t ns)
{
	double rate = ns ? (double)bytes * 1e9 / (double)ns + 0.5 : 0;

	return rate < (double)INT64_MAX ? (uint64_t)rate : INT64_MAX;
}

struct words units_rate(uint64_t bytes, uint64_t ns)
{
	struct words words;
	snprintf(words.text, sizeof(words.text), "+%.60s/s",
		 units_count(units_per_second(bytes, ns), "byte").text);
	return words;
}
