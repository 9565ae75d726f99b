/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Monotonic time in nanoseconds; through the vdso, so no system call. */
#ifndef MEMTRACE_BASE_CLOCK_H
#define MEMTRACE_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

#endif
