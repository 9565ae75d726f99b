/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * As find_debuginfo_in_path() of elfutils' libdwfl/find-debuginfo.c (0.188) does it, for the file's
 * name and for where that leads:
 *
 *	""		FOLDER/LINK
 *	.debug		FOLDER/.debug/LINK
 *	/usr/lib/debug	the same below there, and with the first parts of FOLDER left out
 *
 * Where there is no link, it is the file's own name with ".debug" behind, and elsewhere than in its
 * own folder the name alone.
 */
#include "debug_names.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct names {
	const char *folder;		/* of the file, absolute or not; without a last / */
	int folder_length;
	const char *name, *elsewhere;	/* NULL: there is no second one */
};

static bool is_there(const char *path, int length)
{
	return length < 0 || length >= PATH_MAX || !access(path, F_OK);
}

/* In the file's own folder, or in one below it. */
static bool is_near(const char *below, int length, const struct names *names, const char *name)
{
	char path[PATH_MAX];

	return is_there(path, snprintf(path, sizeof(path), "%.*s/%.*s/%s", names->folder_length,
				       names->folder, length, below, name));
}

static bool is_below(const char *root, int length, const struct names *names, const char *name)
{
	const char *rest = names->folder, *end = names->folder + names->folder_length;
	char path[PATH_MAX];

	while (rest) {
		if (is_there(path, snprintf(path, sizeof(path), "%.*s/%.*s/%s", length, root,
					    (int)(end - rest), rest, name)))
			return true;
		rest = rest < end ? memchr(rest + 1, '/', (size_t)(end - rest - 1)) : NULL;
	}
	return is_there(path, snprintf(path, sizeof(path), "%.*s/%s", length, root, name));
}

static bool has(const char *folder, int length, const struct names *names, const char *name)
{
	return *folder == '/' ? is_below(folder, length, names, name)
			      : is_near(folder, length, names, name);
}

static bool is_in(const char *folder, int length, const struct names *names)
{
	return has(folder, length, names, names->name) ||
	       (length && names->elsewhere && has(folder, length, names, names->elsewhere));
}

static bool is_any(const char *folders, const struct names *names)
{
	const char *end;

	for (;; folders = end + 1) {
		end = strchrnul(folders, ':');
		if (is_in(folders, (int)(end - folders), names))
			return true;
		if (!*end)
			return false;
	}
}

static bool is_any_for(const char *folders, const char *file, const char *link)
{
	const char *slash = strrchr(file, '/'), *base = slash ? slash + 1 : file;
	char with_suffix[PATH_MAX];
	struct names names = {
		.folder = slash ? file : ".", .folder_length = slash ? (int)(slash - file) : 1,
		.name = link ? link : with_suffix, .elsewhere = link ? NULL : base,
	};

	if (!link && snprintf(with_suffix, sizeof(with_suffix), "%s.debug", base) >= PATH_MAX)
		return true;
	return is_any(folders, &names);
}

bool debug_names_any(const char *folders, const char *file, const char *link)
{
	char real[PATH_MAX];

	if (!file || (link && strchr(link, '/')) || is_any_for(folders, file, link))
		return true;
	return realpath(file, real) && strcmp(real, file) && is_any_for(folders, real, link);
}
