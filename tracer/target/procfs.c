/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads and parses the small files of /proc/PID. */
#include "procfs.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOOKS 5

static ssize_t read_file(const char *path, char *buffer, size_t bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return -1;
	got = read(fd, buffer, bytes - 1);
	close(fd);
	if (got >= 0)
		buffer[got] = '\0';
	return got;
}

/* Field 3 of stat is the first one after the name, which may hold blanks and parentheses. */
static const char *stat_fields(pid_t pid, pid_t tid, char *buffer, size_t bytes)
{
	char path[64];
	char *name_end;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
	if (read_file(path, buffer, bytes) < 0)
		return NULL;
	name_end = strrchr(buffer, ')');
	return name_end && name_end[1] ? name_end + 2 : NULL;
}

char procfs_state(pid_t pid, pid_t tid)
{
	char buffer[1024];
	const char *fields = stat_fields(pid, tid, buffer, sizeof(buffer));

	return fields ? fields[0] : 0;
}

bool procfs_in_system_call(pid_t pid, pid_t tid)
{
	char buffer[256], path[64];

	/* The number of the call; "running", or -1 where it is in none. */
	snprintf(path, sizeof(path), "/proc/%d/task/%d/syscall", pid, tid);
	return read_file(path, buffer, sizeof(buffer)) > 0 && buffer[0] >= '0' && buffer[0] <= '9';
}

bool procfs_blocked_at(pid_t pid, pid_t tid, uint64_t *sp, uint64_t *pc)
{
	char buffer[256], path[64];

	/* Number, six arguments, sp, pc. */
	snprintf(path, sizeof(path), "/proc/%d/task/%d/syscall", pid, tid);
	return read_file(path, buffer, sizeof(buffer)) > 0 &&
	       sscanf(buffer, "%*d %*x %*x %*x %*x %*x %*x %" SCNx64 " %" SCNx64, sp, pc) == 2;
}

int procfs_last_cpu(pid_t pid, pid_t tid)
{
	char buffer[1024];
	const char *field = stat_fields(pid, tid, buffer, sizeof(buffer));

	for (int i = 3; field && i < 39; i++) {
		field = strchr(field, ' ');
		field = field ? field + 1 : NULL;
	}
	return field ? atoi(field) : -1;
}

/* schedstat: time on a processor, time waiting for one, number of turns.  Without
 * CONFIG_SCHED_INFO they are 0. */
uint64_t procfs_cpu_ns(pid_t pid, pid_t tid)
{
	char buffer[128], path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/schedstat", pid, tid);
	return read_file(path, buffer, sizeof(buffer)) > 0 ? strtoull(buffer, NULL, 10) : 0;
}

static const char *status_value(const char *path, const char *key, char *buffer, size_t bytes)
{
	char pattern[32];
	char *found;

	if (read_file(path, buffer, bytes) < 0)
		return NULL;
	snprintf(pattern, sizeof(pattern), "\n%s:", key);
	found = strstr(buffer, pattern);
	return found ? found + strlen(pattern) : NULL;
}

bool procfs_signal_pending(pid_t pid, pid_t tid, int signal)
{
	char buffer[4096], path[64];
	const char *value;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", pid, tid);
	value = status_value(path, "SigPnd", buffer, sizeof(buffer));
	return value && strtoull(value, NULL, 16) & 1ULL << (signal - 1);
}

bool procfs_signal_deliverable(pid_t tid)
{
	char buffer[4096], path[64];
	const char *own, *shared, *blocked;

	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	own = status_value(path, "SigPnd", buffer, sizeof(buffer));
	shared = own ? strstr(own, "\nShdPnd:") : NULL;
	blocked = own ? strstr(own, "\nSigBlk:") : NULL;
	return shared && blocked &&
	       (strtoull(own, NULL, 16) | strtoull(shared + 8, NULL, 16)) &
		       ~strtoull(blocked + 8, NULL, 16);
}

long procfs_status_number(pid_t pid, const char *key)
{
	char buffer[4096], path[64];
	const char *value;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	value = status_value(path, key, buffer, sizeof(buffer));
	return value ? strtol(value, NULL, 10) : -1;
}

bool procfs_capable(pid_t pid, unsigned capability)
{
	char buffer[4096], path[64];
	const char *value;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	value = status_value(path, "CapEff", buffer, sizeof(buffer));
	return value && strtoull(value, NULL, 16) >> capability & 1;
}

/* Real, effective, saved, of the file system. */
static bool are_all(const char *numbers, unsigned wanted)
{
	unsigned found[4];

	return numbers && sscanf(numbers, "%u %u %u %u", &found[0], &found[1], &found[2],
				 &found[3]) == 4 &&
	       found[0] == wanted && found[1] == wanted && found[2] == wanted && found[3] == wanted;
}

bool procfs_is_ours(pid_t pid)
{
	char buffer[4096], ours[4096], path[64];
	const char *user, *group, *permitted, *our_own;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	user = status_value(path, "Uid", buffer, sizeof(buffer));
	group = user ? strstr(user, "\nGid:") : NULL;
	permitted = group ? strstr(group, "\nCapPrm:") : NULL;
	our_own = status_value("/proc/self/status", "CapEff", ours, sizeof(ours));
	return permitted && our_own && are_all(user, geteuid()) && are_all(group + 5, getegid()) &&
	       !(strtoull(permitted + 8, NULL, 16) & ~strtoull(our_own, NULL, 16));
}

bool procfs_is_kernel_thread(pid_t pid)
{
	char buffer[1024];
	const char *fields = stat_fields(pid, pid, buffer, sizeof(buffer));
	unsigned flags = 0;

	/* State, parent, group, session, terminal, its group, flags; PF_KTHREAD. */
	return fields && sscanf(fields, "%*c %*d %*d %*d %*d %*d %u", &flags) == 1 &&
	       flags & 0x00200000;
}

/* Calls look() for its threads until that returns something else than 0, and returns it. */
static pid_t look_at_threads(pid_t pid, pid_t (*look)(pid_t pid, pid_t tid))
{
	char path[64];
	struct dirent *entry;
	pid_t found = 0;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	tasks = opendir(path);
	while (tasks && !found && (entry = readdir(tasks))) {
		pid_t tid = atoi(entry->d_name);

		if (tid > 0)
			found = look(pid, tid);
	}
	if (tasks)
		closedir(tasks);
	return found;
}

static pid_t itself_if_alive(pid_t pid, pid_t tid)
{
	char state = procfs_state(pid, tid);

	return state && state != 'Z' && state != 'X' ? tid : 0;
}

/* A thread that execs takes the id of its leader, which has ended by then: a look at that moment
 * finds neither. */
pid_t procfs_live_thread(pid_t pid)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	pid_t tid = look_at_threads(pid, itself_if_alive);

	for (unsigned i = 1; i < LOOKS && !tid && procfs_state(pid, pid); i++) {
		nanosleep(&pause, NULL);
		tid = look_at_threads(pid, itself_if_alive);
	}
	return tid;
}

/* One that is about to leave lets them go one by one: each is asked once. */
static pid_t tracer_of(pid_t pid, pid_t tid)
{
	long tracer = procfs_status_number(tid, "TracerPid");

	return tracer > 0 ? (pid_t)tracer : 0;
}

pid_t procfs_tracer(pid_t pid)
{
	return look_at_threads(pid, tracer_of);
}

static bool is_one_of(const char *value, const char *const *values)
{
	for (; *values; values++)
		if (!strcmp(value, *values))
			return true;
	return false;
}

bool procfs_was_started_with(pid_t pid, const char *variable, const char *const *values)
{
	size_t length = strlen(variable), room = 0;
	char path[64], *line = NULL;
	bool found = false;
	FILE *environment;

	snprintf(path, sizeof(path), "/proc/%d/environ", pid);
	environment = fopen(path, "re");
	while (environment && !found && getdelim(&line, &room, '\0', environment) > 0)
		found = !strncmp(line, variable, length) && is_one_of(line + length, values);
	if (environment)
		fclose(environment);
	free(line);
	return found;
}

int64_t procfs_available_bytes(void)
{
	static const char key[] = "\nMemAvailable:";
	char buffer[4096];
	const char *line;

	if (read_file("/proc/meminfo", buffer, sizeof(buffer)) < 0)
		return INT64_MAX;
	line = strstr(buffer, key);
	return line ? strtoll(line + strlen(key), NULL, 10) * 1024 : INT64_MAX;
}

uint64_t procfs_rss_bytes(pid_t pid)
{
	char buffer[256], path[64];
	unsigned long size, resident;

	snprintf(path, sizeof(path), "/proc/%d/statm", pid);
	if (read_file(path, buffer, sizeof(buffer)) < 0 ||
	    sscanf(buffer, "%lu %lu", &size, &resident) != 2)
		return 0;
	return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

char *procfs_exe(pid_t pid)
{
	char target[PATH_MAX], path[64];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	length = readlink(path, target, sizeof(target) - 1);
	return length < 0 ? NULL : strndup(target, (size_t)length);
}

char *procfs_comm(pid_t pid)
{
	char name[64], path[64];

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	if (read_file(path, name, sizeof(name)) <= 0)
		return NULL;
	name[strcspn(name, "\n")] = '\0';
	return strdup(name);
}

static char **split_command(const char *text, size_t bytes)
{
	size_t nr = 0, i = 0;
	char **words, *copy;

	for (size_t at = 0; at < bytes; at += strlen(text + at) + 1)
		nr++;
	words = malloc((nr + 1) * sizeof(*words) + bytes + 1);
	if (!words)
		return NULL;
	copy = (char *)(words + nr + 1);
	memcpy(copy, text, bytes);
	copy[bytes] = '\0';
	for (size_t at = 0; at < bytes; at += strlen(copy + at) + 1)
		words[i++] = copy + at;
	words[i] = NULL;
	return words;
}

char **procfs_command(pid_t pid)
{
	size_t room = 128 * 1024;
	char path[64], *text = malloc(room);
	char **words = NULL;
	ssize_t got;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	got = text ? read_file(path, text, room) : -1;
	if (got > 0)
		words = split_command(text, (size_t)got);
	free(text);
	return words;
}
