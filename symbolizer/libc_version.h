/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef MEMTRACE_SYMBOLIZER_LIBC_VERSION_H
#define MEMTRACE_SYMBOLIZER_LIBC_VERSION_H

#include <gelf.h>
#include <stdbool.h>
#include <stddef.h>

/* "glibc 2.36", "musl", or "" where the file holds no C library.  search: also look for the
 * banners of a C library that has no symbol versions (musl) or is linked in statically. */
void libc_version(Elf *elf, bool search, char *out, size_t bytes);

#endif
