/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A thread's stack as one read: a copy of the bytes from the stack pointer up, extended when a
 * walk goes beyond it, and passed through for whatever lies elsewhere.  How much is read at
 * first follows what the walks before needed.
 *
 * One thread; valid while the thread it shows is stopped.
 */
#ifndef MEMTRACE_UNWIND_WINDOW_H
#define MEMTRACE_UNWIND_WINDOW_H

#include "../base/memread.h"

#define WINDOW_BYTES (64 * 1024)

struct window {
	struct memread read;	/* reads through the window */
	const struct memread *memory;
	taddr_t start;
	size_t bytes;		/* valid from start on */
	size_t used;		/* of them, asked for since the window was opened */
	size_t first_bytes;	/* how much the next opening reads */
	uint8_t copy[WINDOW_BYTES];
};

void window_init(struct window *window, const struct memread *memory);
void window_open(struct window *window, taddr_t sp);

#endif
