/* SPDX-License-Identifier: GPL-2.0-or-later */
/* C++'s own names for its allocation functions.  Pure; any thread. */
#ifndef MEMTRACE_BASE_OPERATORS_H
#define MEMTRACE_BASE_OPERATORS_H

#include <stddef.h>
#include <string.h>

/* "operator new[](unsigned long)" -> "operator new[]"; NULL for any other function, and for NULL. */
static inline const char *operators_find(const char *function)
{
	static const char *const operators[] = {
		"operator new", "operator new[]", "operator delete", "operator delete[]",
	};

	for (size_t i = 0; function && i < sizeof(operators) / sizeof(operators[0]); i++) {
		size_t bytes = strlen(operators[i]);

		if (!strncmp(function, operators[i], bytes) && function[bytes] == '(')
			return operators[i];
	}
	return NULL;
}

#endif
