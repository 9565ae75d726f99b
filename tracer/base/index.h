/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hash index of things that live in an array of their owner and are known by their place in
 * it: open addressing, at most half full.  The owner compares; the index only proposes.
 *
 *	uint32_t cursor = 0, id;
 *	while (index_next(&index, hash, &cursor, &id))
 *		if (same(things[id], wanted))
 *			return id;
 */
#ifndef MEMTRACE_BASE_INDEX_H
#define MEMTRACE_BASE_INDEX_H

#include <stdbool.h>
#include <stdint.h>

struct index {
	struct index_slot {
		uint32_t hash;
		uint32_t id;		/* plus one; 0: empty */
	} *slots;
	uint32_t nr, room;		/* room: a power of two, or 0 */
};

/* A struct index of zeros is empty. */
void index_deinit(struct index *index);

/* The next id added with this hash; *cursor is 0 at the start. */
bool index_next(const struct index *index, uint64_t hash, uint32_t *cursor, uint32_t *id);

/* Makes room for one more, so that the next index_add() cannot fail; 0 or -ENOMEM. */
int index_reserve(struct index *index);
void index_add(struct index *index, uint64_t hash, uint32_t id);

#endif
