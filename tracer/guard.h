/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The process that the user has started is not the one that traces: that is its child, so that
 * `kill -9` of what the user knows ends in a clean detach and in the report.
 *
 *     shell --- memtrace (guard) --- memtrace-trace --- memtrace-symbol
 *                                            `--------- the command
 *
 * Both are in one process group, as the command is: what a terminal sends reaches all of them.  What
 * somebody sends to the guard alone is counted in memory that both share; of two counts of the
 * same requests the higher one is right.
 */
#ifndef MEMTRACE_GUARD_H
#define MEMTRACE_GUARD_H

#include <stdbool.h>
#include <sys/types.h>

/* Runs work(owner) in a child and returns its exit status, or what the child was ended by as
 * GUARD_FAILED, which the user was told.  Before the first thread.  In the child it does not
 * return; signals are still as they were found. */
int guard_run(int (*work)(void *owner), void *owner, bool with_command);

/* Whether this process is such a child, of any memtrace. */
bool guard_is_child(pid_t pid);

/* In the child: nobody waits for it any more. */
bool guard_is_gone(void);

#define GUARD_FAILED 125

#endif
