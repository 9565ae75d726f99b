/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options by name, and what each makes of a value: the same for the command line and for a
 * file of options.  One thread.
 */
#ifndef MEMTRACE_OPTION_VALUES_H
#define MEMTRACE_OPTION_VALUES_H

#include <getopt.h>

#include "options.h"

/* Ends with a NULL name; `val` is the short name's character, or one of the numbers below. */
extern const struct option option_table[];

enum option_number {
	OPTION_FORMAT = 256, OPTION_UNWINDER, OPTION_DEBUG_DIR, OPTION_STATS, OPTION_ENGINE,
	OPTION_SAMPLE, OPTION_ALLOC, OPTION_FREE, OPTION_LOG_FILE, OPTION_RESOLVE, OPTION_OVERHEAD,
	OPTION_KEEP_STACKTRACES, OPTION_LEAK_CHECK, OPTION_SHOW_LEAK_KINDS,
	OPTION_LEAK_CHECK_HEURISTICS, OPTION_ERROR_EXITCODE, OPTION_ERRORS_FOR_LEAK_KINDS,
	OPTION_SCAN,
};

/* The bit that stands for it where options are a set: bit i is option_table[i]. */
uint64_t option_mark(int option);

/* The words for an option or a key that there is none of. */
#define OPTION_UNKNOWN "try memtrace --help"

/* `value` is NULL for an option that has none, and must outlive the options otherwise.  NULL, or
 * what is wrong with it, as a sentence without its subject; valid until the next call. */
const char *option_set(struct options *options, int option, const char *value);

/* One that has no value, on or off again. */
const char *option_set_flag(struct options *options, int option, bool on);

/* "memleak", in files alone: "0" or "1". */
const char *option_set_memleak(struct options *options, const char *value);

#endif
