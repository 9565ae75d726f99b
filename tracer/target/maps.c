/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parses /proc/PID/maps; the format is in proc_pid_maps(5). */
#include "maps.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "../base/array.h"

static bool parse_line(const char *line, struct mapping *out)
{
	unsigned major_number, minor_number;
	unsigned long inode;
	char permissions[5];
	int path_at = 0;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %lu %n", &out->start,
		   &out->end, permissions, &out->offset, &major_number, &minor_number, &inode,
		   &path_at) < 7)
		return false;
	out->readable = permissions[0] == 'r';
	out->writable = permissions[1] == 'w';
	out->executable = permissions[2] == 'x';
	out->shared = permissions[3] == 's';
	out->device = makedev(major_number, minor_number);
	out->inode = inode;
	out->path = strdup(path_at ? line + path_at : "");
	return out->path;
}

static int read_all(struct maps *maps, FILE *file)
{
	struct mapping mapping;
	char *line = NULL;
	size_t room = 0;
	int error = 0;

	while (!error && getline(&line, &room, file) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (!parse_line(line, &mapping))
			continue;
		error = ARRAY_GROW(maps);
		if (error)
			free(mapping.path);
		else
			maps->items[maps->nr++] = mapping;
	}
	free(line);
	if (error)
		maps_release(maps);
	return error;
}

int maps_read(struct maps *maps, pid_t tid)
{
	char path[64];
	FILE *file;
	int error;

	*maps = (struct maps){ 0 };
	snprintf(path, sizeof(path), "/proc/%d/maps", tid);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	error = read_all(maps, file);
	fclose(file);
	return error;
}

static int read_kept(struct maps *maps, int kept)
{
	int fd = fcntl(kept, F_DUPFD_CLOEXEC, 0), error;
	/* The place in the file is one for both. */
	FILE *file = fd < 0 || lseek(fd, 0, SEEK_SET) ? NULL : fdopen(fd, "r");

	if (file) {
		error = read_all(maps, file);
		fclose(file);
		return error;
	}
	error = -errno;
	if (fd >= 0)
		close(fd);
	return error;
}

int maps_of(struct maps *maps, const struct memory *memory)
{
	int error = maps_read(maps, memory->tid);

	return error == -EACCES && memory->maps_fd > 0 ? read_kept(maps, memory->maps_fd) : error;
}

const struct mapping *maps_find(const struct maps *maps, taddr_t address)
{
	size_t low = 0, high = maps->nr;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (address < maps->items[middle].start)
			high = middle;
		else if (address >= maps->items[middle].end)
			low = middle + 1;
		else
			return &maps->items[middle];
	}
	return NULL;
}

const struct mapping *maps_before(const struct maps *maps, const struct mapping *mapping)
{
	return mapping > maps->items && mapping[-1].end == mapping->start ? mapping - 1 : NULL;
}

bool maps_is_of_file(const struct maps *maps, const struct mapping *mapping)
{
	const struct mapping *before = maps_before(maps, mapping);

	if (mapping->inode)
		return !mapping->shared;
	return !*mapping->path && before && before->inode && !before->shared;
}

void maps_release(struct maps *maps)
{
	for (size_t i = 0; i < maps->nr; i++)
		free(maps->items[i].path);
	free(maps->items);
	*maps = (struct maps){ 0 };
}
