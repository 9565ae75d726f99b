/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which of many address ranges holds an address: compilation units, functions, symbols.  Ranges
 * are added in any order, sorted once, and may overlap or nest; the one that begins last wins,
 * and of those that begin together the one of the highest rank.  An open range ends where the
 * next one begins, or at its `high`.
 */
#ifndef MEMTRACE_SYMBOLIZER_RANGES_H
#define MEMTRACE_SYMBOLIZER_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct range {
	uint64_t low, high;	/* [low, high) */
	uint64_t reach;		/* the highest `high` of this one and all before it */
	uint64_t what;		/* the owner's: an offset or an index */
	uint32_t rank;
	bool open;
};

struct ranges {
	struct range *items;
	size_t nr, room;
};

/* 0 or -ENOMEM; an empty range is ignored.  `reach` is not the caller's. */
int ranges_add(struct ranges *ranges, struct range range);
void ranges_sort(struct ranges *ranges);
const struct range *ranges_find(const struct ranges *ranges, uint64_t address);
void ranges_release(struct ranges *ranges);

#endif
