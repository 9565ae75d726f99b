/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of files that a process's report or log goes to.  Pure. */
#ifndef MEMTRACE_FILE_NAME_H
#define MEMTRACE_FILE_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* %p is the pid.  With several runs and no %p each gets a file of its own all the same.  0 or
 * -ENAMETOOLONG. */
int file_name_expand(const char *pattern, pid_t pid, bool several, char *out, size_t bytes);

#endif
