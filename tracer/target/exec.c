/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file is looked up as the kernel will, from the thread's own root and folders. */
#include "exec.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define PAGE_BYTES 4096

/* Up to its end, or that of what can be read. */
static bool read_path(const struct memread *memory, taddr_t address, char path[PATH_MAX])
{
	size_t nr = 0;

	while (nr < PATH_MAX) {
		size_t part = PAGE_BYTES - (address + nr) % PAGE_BYTES;
		ssize_t got;

		part = part < PATH_MAX - nr ? part : PATH_MAX - nr;
		got = memory->read(memory, address + nr, path + nr, part);
		if (got <= 0)
			return false;
		if (memchr(path + nr, '\0', (size_t)got))
			return true;
		nr += (size_t)got;
	}
	return false;
}

/* The same file by a name that holds here. */
static bool is_named_here(pid_t tid, int folder, const char *path, char *out, size_t bytes)
{
	int length;

	if (path[0] == '/')
		length = snprintf(out, bytes, "/proc/%d/root%s", tid, path);
	else if (folder == AT_FDCWD)
		length = snprintf(out, bytes, "/proc/%d/cwd/%s", tid, path);
	else
		length = snprintf(out, bytes, "/proc/%d/fd/%d%s%s", tid, folder,
				  path[0] ? "/" : "", path);
	return length > 0 && (size_t)length < bytes;
}

static bool is_hidden(pid_t tid)
{
	char root[64];

	snprintf(root, sizeof(root), "/proc/%d/root/", tid);
	return access(root, F_OK) && errno == EACCES;
}

static bool gives_rights(const char *path)
{
	struct stat status;

	if (stat(path, &status) || !S_ISREG(status.st_mode))
		return false;
	return status.st_mode & S_ISUID ||
	       (status.st_mode & S_ISGID && status.st_mode & S_IXGRP) ||
	       getxattr(path, "security.capability", NULL, 0) > 0;
}

/* Where it is not dumpable, its root and folders cannot be seen: the root most likely is ours. */
static bool may_give_rights(pid_t tid, int folder, const char *path)
{
	char name[PATH_MAX + 64];

	if (!is_named_here(tid, folder, path, name, sizeof(name)))
		return false;
	if (!is_hidden(tid))
		return gives_rights(name);
	return path[0] == '/' && gives_rights(path);
}

bool exec_gives_rights(const struct thread *thread)
{
	char path[PATH_MAX];
	struct arch_exec exec;
	arch_regs regs;

	return !thread_get_regs(thread, &regs) && arch_begins_exec(&regs, &exec) &&
	       read_path(&thread->process->memory.read, exec.path, path) &&
	       may_give_rights(thread->tid, exec.folder, path);
}
