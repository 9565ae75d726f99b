/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether a file could be written, found out without making one. */
#ifndef MEMTRACE_WRITABLE_H
#define MEMTRACE_WRITABLE_H

/* 0, or the -errno that writing it would most likely end with. */
int writable_check(const char *path);

#endif
