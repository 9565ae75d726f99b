/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much memory a process may still use before its control group is out of it, and the kernel
 * kills it: cgroups(7), both versions, as they are mounted in /sys/fs/cgroup.
 */
#ifndef MEMTRACE_TARGET_CGROUP_H
#define MEMTRACE_TARGET_CGROUP_H

#include <stdint.h>
#include <sys/types.h>

/* In bytes, of the tightest limit; INT64_MAX: there is none, or it cannot be read. */
struct cgroup_room {
	int64_t own;	/* of limits that do not hold for us */
	int64_t common;	/* of those that do */
};

void cgroup_find_room(pid_t pid, struct cgroup_room *out);

#endif
