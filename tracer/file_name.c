/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See file_name.h. */
#include "file_name.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int file_name_expand(const char *pattern, pid_t pid, bool several, char *out, size_t bytes)
{
	const char *at = strstr(pattern, "%p");
	int length;

	if (at)
		length = snprintf(out, bytes, "%.*s%d%s", (int)(at - pattern), pattern, pid, at + 2);
	else if (several)
		length = snprintf(out, bytes, "%s.%d", pattern, pid);
	else
		length = snprintf(out, bytes, "%s", pattern);
	return length < 0 || (size_t)length >= bytes ? -ENAMETOOLONG : 0;
}
