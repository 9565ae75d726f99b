/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Readable names for the mangled ones of C++ and Rust (legacy and v0). */
#ifndef MEMTRACE_SYMBOLIZER_DEMANGLE_H
#define MEMTRACE_SYMBOLIZER_DEMANGLE_H

#include <stdbool.h>

bool demangle_is_mangled(const char *name);

/* The demangled name, with parameters, or the name itself where it is none or has no bounded
 * expansion.  Valid until the next call. */
const char *demangle(const char *name);

#endif
