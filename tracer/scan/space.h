/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A copy of what a process had in its memory at one moment: ranges of bytes, by their addresses.
 * Pages that were never touched are in no range: all their bytes are zero, and no pointers.
 *
 * Filled once, in rising order, then only read, by any number of threads.  The copies are the
 * caller's and must outlive it.  Addresses are the target's.
 */
#ifndef MEMTRACE_SCAN_SPACE_H
#define MEMTRACE_SCAN_SPACE_H

#include "../base/memread.h"

struct space_range {
	taddr_t start, end;
	const unsigned char *copy;	/* of [start, end), aligned as start is, to 8 bytes */
};

struct space {
	struct memread read;		/* first: a space is a memread; see space_init() */
	struct space_range *items;
	size_t nr, room;
};

void space_init(struct space *space);
void space_deinit(struct space *space);

/* Ranges come by rising addresses and do not overlap.  0, -EINVAL or -ENOMEM. */
int space_add(struct space *space, const struct space_range *range);

/* The first range that ends after an address; NULL: none. */
const struct space_range *space_find(const struct space *space, taddr_t address);

/* Eight bytes at any address; false: they are not all there. */
bool space_word(const struct space *space, taddr_t address, uint64_t *out);

/* Has the cache fetch the first bytes from there on. */
void space_prefetch(const struct space *space, taddr_t address);

#endif
