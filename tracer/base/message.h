/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages to the user, on standard error, each one line that starts with "memtrace: ".  What
 * came from a target must have gone through inert() before it is handed in.
 *
 * One that cannot be written within a second is left out.  The progress line is rewritten in
 * place on a terminal; every message clears it first.
 * One thread.
 */
#ifndef MEMTRACE_BASE_MESSAGE_H
#define MEMTRACE_BASE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>

enum message_level { MESSAGE_QUIET, MESSAGE_NORMAL, MESSAGE_VERBOSE };

void message_set_level(enum message_level level);
enum message_level message_level(void);

/* Always printed: something failed. */
void message_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Always printed: what was asked for. */
void message_answer(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Something is amiss and the run goes on; not with -q. */
void message_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* What is going on; not with -q. */
void message_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Only with -v. */
void message_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* One line, rewritten in place; nothing unless standard error is a terminal. */
void message_progress(const char *format, ...) __attribute__((format(printf, 1, 2)));
void message_progress_end(void);

#endif
