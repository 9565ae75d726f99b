/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memleak = 0 or 1 in the file of options, read again and again: editors write a file in place or
 * move a new one to its name, and both are seen.  What else the file says is for the next run.
 *
 * One thread.
 */
#ifndef MEMTRACE_SWITCH_H
#define MEMTRACE_SWITCH_H

#include "options.h"

struct memleak_switch {
	const struct options *options;
	char *text;		/* of the file, as last read; NULL: it was not there */
	int error;		/* why it could not be read the last time; 0: it could */
	bool on;
};

void switch_init(struct memleak_switch *memleak, const struct options *options);
void switch_deinit(struct memleak_switch *memleak);

/* True if it has been turned.  Lines that are wrong are told of, once, and change nothing. */
bool switch_look(struct memleak_switch *memleak);

#endif
