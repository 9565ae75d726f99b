/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A limit holds for its group and all below: from the process's group up to the root. */
#include "cgroup.h"

#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Version 1 says so for none. */
#define NO_LIMIT (1ll << 60)

struct version {
	const char *mount, *limit, *usage, *cache;
};

static const struct version first = {
	"/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes",
	"total_inactive_file",
};
static const struct version second = {
	"/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file",
};

/* Of a line "number:controllers:path"; the second version has neither of the former. */
static const char *path_in(char *line, const struct version **version)
{
	char *controllers = strchr(line, ':');
	char *path = controllers ? strchr(controllers + 1, ':') : NULL;

	if (!path)
		return NULL;
	*path++ = '\0';
	path[strcspn(path, "\n")] = '\0';
	if (!strcmp(controllers + 1, "memory"))
		*version = &first;
	else if (!controllers[1] && !*version)
		*version = &second;
	else
		return NULL;
	return path;
}

/* NULL: it has none. */
static const struct version *find_group(pid_t pid, char group[PATH_MAX])
{
	const struct version *version = NULL;
	char name[64], line[PATH_MAX + 64];
	FILE *file;

	snprintf(name, sizeof(name), "/proc/%d/cgroup", pid);
	file = fopen(name, "re");
	while (file && fgets(line, sizeof(line), file)) {
		const char *path = path_in(line, &version);

		if (path)
			snprintf(group, PATH_MAX, "%s", strcmp(path, "/") ? path : "");
	}
	if (file)
		fclose(file);
	return version;
}

static FILE *open_file(const struct version *version, const char *group, const char *name)
{
	char path[2 * PATH_MAX];

	snprintf(path, sizeof(path), "%s%s/%s", version->mount, group, name);
	return fopen(path, "re");
}

/* INT64_MAX where there is no number. */
static int64_t read_number(const struct version *version, const char *group, const char *name)
{
	FILE *file = open_file(version, group, name);
	int64_t number = INT64_MAX;

	if (file && fscanf(file, "%" SCNd64, &number) != 1)
		number = INT64_MAX;
	if (file)
		fclose(file);
	return number;
}

/* Read from files and not in use: it goes as soon as anybody needs memory. */
static int64_t read_cache(const struct version *version, const char *group)
{
	FILE *file = open_file(version, group, "memory.stat");
	int64_t number = 0, found = 0;
	char key[64];

	while (file && fscanf(file, "%63s %" SCNd64, key, &number) == 2)
		if (!strcmp(key, version->cache))
			found = number;
	if (file)
		fclose(file);
	return found;
}

static int64_t room_of(const struct version *version, const char *group)
{
	int64_t limit = read_number(version, group, version->limit), usage;

	if (limit >= NO_LIMIT)
		return INT64_MAX;
	usage = read_number(version, group, version->usage);
	if (usage == INT64_MAX)
		return INT64_MAX;
	usage -= read_cache(version, group);
	return usage < limit ? limit - usage : 0;
}

static bool is_within(const char *group, const char *of)
{
	size_t length = strlen(of);

	return !strncmp(group, of, length) && (!group[length] || group[length] == '/');
}

void cgroup_find_room(pid_t pid, struct cgroup_room *out)
{
	char group[PATH_MAX] = "", ours[PATH_MAX] = "";
	const struct version *version = find_group(pid, group);
	char *last;

	*out = (struct cgroup_room){ INT64_MAX, INT64_MAX };
	if (!version || find_group(getpid(), ours) != version)
		return;
	do {
		int64_t *least = is_within(ours, group) ? &out->common : &out->own;
		int64_t room = room_of(version, group);

		if (room < *least)
			*least = room;
		last = strrchr(group, '/');
		if (last)
			*last = '\0';
	} while (last);
}
