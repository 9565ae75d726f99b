/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See command.h. */
#include "command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* execvp(3), where PATH is not set. */
#define DEFAULT_PATH "/bin:/usr/bin"

static int why_not(const char *path)
{
	struct stat status;

	if (stat(path, &status))
		return -errno;
	if (S_ISDIR(status.st_mode))
		return -EISDIR;
	return access(path, X_OK) ? -errno : 0;
}

/* An empty folder is the current one. */
static int try_folder(const char *folder, int length, const char *name, char *path, size_t bytes)
{
	int printed = snprintf(path, bytes, "%.*s%s%s", length, folder, length ? "/" : "", name);

	return printed < 0 || (size_t)printed >= bytes ? -ENAMETOOLONG : why_not(path);
}

static int search(const char *folders, const char *name, char *out_path, size_t bytes)
{
	char path[4096];
	int result = -ENOENT;

	for (;; folders++) {
		size_t length = strcspn(folders, ":");
		int error = try_folder(folders, (int)length, name, path, sizeof(path));

		if (!error || (result == -ENOENT && (error == -EACCES || error == -EISDIR))) {
			snprintf(out_path, bytes, "%s", path);
			result = error;
		}
		folders += length;
		if (!error || !*folders)
			return result;
	}
}

int command_find(const char *name, char *out_path, size_t bytes)
{
	const char *folders = getenv("PATH");

	if (!*name)
		return -ENOENT;
	if (!strchr(name, '/'))
		return search(folders ? folders : DEFAULT_PATH, name, out_path, bytes);
	if (strlen(name) >= bytes)
		return -ENAMETOOLONG;
	strcpy(out_path, name);
	return why_not(name);
}
