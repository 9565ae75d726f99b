/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The names under which libdwfl looks for a debug file.  Where it finds nothing it loads
 * libdebuginfod, and with it some thirty libraries, even if there is no server to be asked; so it
 * is not asked where no file has such a name.
 */
#ifndef MEMTRACE_SYMBOLIZER_DEBUG_NAMES_H
#define MEMTRACE_SYMBOLIZER_DEBUG_NAMES_H

#include <stdbool.h>

/* `folders` is a debuginfo_path of libdwfl's without + and -; `link` is what .gnu_debuglink says,
 * or NULL.  True in doubt: somebody else compares the files. */
bool debug_names_any(const char *folders, const char *file, const char *link);

#endif
