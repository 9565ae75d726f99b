/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file that execvp(3) would take for a command. */
#ifndef MEMTRACE_COMMAND_H
#define MEMTRACE_COMMAND_H

#include <stddef.h>

/* 0, -ENOENT, -ENAMETOOLONG, or why none of those that have the name can be run: -EACCES, -EISDIR;
 * then out_path is the first of them. */
int command_find(const char *name, char *out_path, size_t bytes);

#endif
