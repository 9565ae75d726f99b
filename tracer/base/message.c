/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages on standard error.  A line is formatted first and written at once, so that it does
 * not mix with what the target writes there.
 */
#include "message.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define PATIENCE_MS 1000
#define STEP_MS 50

static enum message_level level = MESSAGE_NORMAL;
static bool progress_shown;

void message_set_level(enum message_level wanted)
{
	level = wanted;
}

enum message_level message_level(void)
{
	return level;
}

/* A terminal halted by Ctrl-S, or a pipe that nobody reads and that a log has filled, must not
 * halt us, and the target with us.  Patience ends once for all. */
static bool is_stuck(void)
{
	struct pollfd stream = { .fd = STDERR_FILENO, .events = POLLOUT };
	static bool was_stuck;
	int nr = 0;

	for (int i = 0; i < PATIENCE_MS / STEP_MS && nr <= 0; i++)
		nr = poll(&stream, 1, was_stuck ? 0 : STEP_MS);
	was_stuck = nr <= 0;
	return was_stuck;
}

static void write_line(const char *prefix, const char *suffix, const char *format, va_list args)
{
	char line[4096];
	int used = snprintf(line, sizeof(line), "%s", prefix);
	int more = vsnprintf(line + used, sizeof(line) - used - 8, format, args);

	if (more > (int)sizeof(line) - used - 9)
		more = (int)sizeof(line) - used - 9;
	used += more;
	used += snprintf(line + used, sizeof(line) - used, "%s", suffix);
	if (!is_stuck() && write(STDERR_FILENO, line, used) < 0)
		return; /* nobody is left to be told */
}

void message_progress_end(void)
{
	if (progress_shown && write(STDERR_FILENO, "\r\033[K", 4) < 0)
		return;
	progress_shown = false;
}

#define DEFINE_MESSAGE(name, least)                                \
	void name(const char *format, ...)                         \
	{                                                          \
		va_list args;                                      \
                                                                   \
		if (level < (least))                               \
			return;                                    \
		message_progress_end();                            \
		va_start(args, format);                            \
		write_line("memtrace: ", "\n", format, args);      \
		va_end(args);                                      \
	}

DEFINE_MESSAGE(message_error, MESSAGE_QUIET)
DEFINE_MESSAGE(message_answer, MESSAGE_QUIET)
DEFINE_MESSAGE(message_warn, MESSAGE_NORMAL)
DEFINE_MESSAGE(message_info, MESSAGE_NORMAL)
DEFINE_MESSAGE(message_debug, MESSAGE_VERBOSE)

void message_progress(const char *format, ...)
{
	struct pollfd terminal = { .fd = STDERR_FILENO, .events = POLLOUT };
	va_list args;

	/* A terminal halted with Ctrl-S must not halt us, and the target with us. */
	if (level < MESSAGE_NORMAL || !isatty(STDERR_FILENO) || poll(&terminal, 1, 0) != 1)
		return;
	va_start(args, format);
	write_line("\r  ", "\033[K", format, args);
	va_end(args);
	progress_shown = true;
}
