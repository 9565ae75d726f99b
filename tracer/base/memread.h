/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * "N bytes at this address", whoever owns them: a live process, a snapshot, a core file or
 * bytes recorded for a unit test.  All that only reads a target's memory takes one of these.
 */
#ifndef MEMTRACE_BASE_MEMREAD_H
#define MEMTRACE_BASE_MEMREAD_H

#include <sys/types.h>

#include "types.h"

struct memread {
	/* The bytes read from the start on: fewer than asked where a page cannot be read
	 * (an outcome, not an error), or -errno where none can. */
	ssize_t (*read)(const struct memread *mem, taddr_t address, void *buffer, size_t bytes);
	void *owner;
};

/* All of it or nothing. */
static inline bool memread_exact(const struct memread *mem, taddr_t address, void *buffer,
				 size_t bytes)
{
	return mem->read(mem, address, buffer, bytes) == (ssize_t)bytes;
}

#endif
