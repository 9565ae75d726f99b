/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text that came from a target, made safe to print.  Pure; any thread.
 */
#ifndef MEMTRACE_BASE_INERT_H
#define MEMTRACE_BASE_INERT_H

#include <stddef.h>

/* Copies text so that it can do nothing to a terminal: control characters become \xNN, those
 * that turn the direction of writing \uNNNN, bytes that are not UTF-8 U+FFFD.  Always
 * terminated, with "..." where it had to be cut; returns buffer. */
const char *inert(char *buffer, size_t bytes, const char *text);

#endif
