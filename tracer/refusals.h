/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What cannot be traced, or not as it was asked for, is told in one line with the remedy, and
 * before anything is done to it.  One thread.  Functions return 0 or -errno, told already.
 */
#ifndef MEMTRACE_REFUSALS_H
#define MEMTRACE_REFUSALS_H

#include <stdbool.h>
#include <sys/types.h>

#include "options.h"
#include "target/files.h"

/* The kernel, and every file that will be written. */
int refusals_check_run(const struct options *options);

/* Waits for a tracer that is about to leave it. */
int refusals_check_process(pid_t pid);

/* After a seize that was not permitted: waits as well; whether nobody traces it now. */
bool refusals_tracer_leaves(pid_t pid);

/* -ENOENT: there is none; -EACCES, -EISDIR, -ENOEXEC: it cannot be run; any other: it must not. */
int refusals_check_command(const struct options *options, struct files *files);

/* Why a process could not be attached to, or a command (pid 0) not be started. */
void refusals_tell(pid_t pid, const char *command, int error);

#endif
