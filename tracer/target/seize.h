/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PTRACE_SEIZE, which waits while the process is in an execve(2).  That waits in turn until its
 * other threads are gone, and those that are seized are gone only once we have waited for them: so
 * both would wait for ever (cred_guard_mutex; the kernel's selftests/ptrace/vmaccess.c).
 */
#ifndef MEMTRACE_TARGET_SEIZE_H
#define MEMTRACE_TARGET_SEIZE_H

#include <sys/types.h>

/* 0 or -errno; -EAGAIN: handle what stops, and try again. */
int seize_thread(pid_t tid, unsigned long options);

/* From the handler of a signal that comes all the time, in the thread that traces. */
void seize_on_tick(void);

#endif
