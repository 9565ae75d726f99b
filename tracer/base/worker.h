/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads beside the one that traces.  Signals are that one's: here all are blocked but those of a
 * crash, which must be handled wherever they come (target/rescue.h), and SIGURG, which somebody
 * may want to end a wait with.
 */
#ifndef MEMTRACE_BASE_WORKER_H
#define MEMTRACE_BASE_WORKER_H

#include <pthread.h>

/* 0 or -errno. */
int worker_start(pthread_t *out, void *(*run)(void *argument), void *argument);

#endif
