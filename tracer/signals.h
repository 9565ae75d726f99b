/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the signals that memtrace gets mean, as flags that the event loop reads.  A timer
 * ticks, so that a signal that comes just before a wait is seen one tick later at the latest.
 *
 * Process-wide state, set up once; the flags may be read by any thread.
 */
#ifndef MEMTRACE_SIGNALS_H
#define MEMTRACE_SIGNALS_H

#include <stdbool.h>

/* With a command SIGINT and SIGQUIT of the terminal are the command's; otherwise they ask for the
 * end, as SIGTERM always does, and SIGHUP unless it was ignored before (nohup).  asked() is called
 * in the handler after each such request; it may be NULL.  The timer is left to
 * signals_tick_every(). */
void signals_install(bool with_command, void (*asked)(void));

/* In a child, before exec: everything as memtrace found it. */
void signals_restore(void);

/* How often the end was asked for. */
int signals_end_requests(void);

/* Another process counts them, too; it may have been asked more often.  The memory is shared. */
void signals_count_also(const volatile int *requests);

/* True once after each tick. */
bool signals_ticked(void);
void signals_tick_every(int milliseconds);

#endif
