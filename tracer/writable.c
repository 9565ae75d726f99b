/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See writable.h. */
#include "writable.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int check_access(const char *path, int mode)
{
	return faccessat(AT_FDCWD, path, mode, AT_EACCESS) ? -errno : 0;
}

static int check_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char folder[PATH_MAX];
	struct stat status;

	if (snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path) : 1,
		     slash ? path : ".") >= PATH_MAX)
		return -ENAMETOOLONG;
	if (!*folder)
		strcpy(folder, "/");
	if (stat(folder, &status))
		return -errno;
	return S_ISDIR(status.st_mode) ? check_access(folder, W_OK | X_OK) : -ENOTDIR;
}

/* A link that leads nowhere would have its target made: its folder is not looked for. */
int writable_check(const char *path)
{
	struct stat status;

	if (!*path)
		return -ENOENT;
	if (stat(path, &status))
		return errno == ENOENT && lstat(path, &status) ? check_folder(path) :
		       errno == ENOENT ? 0 : -errno;
	return S_ISDIR(status.st_mode) ? -EISDIR : check_access(path, W_OK);
}
