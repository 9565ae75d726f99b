/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the parts of the walk, see arenas.h.  Words that are in no copy were never written: 0. */
#ifndef MEMTRACE_SCAN_ARENA_PARTS_H
#define MEMTRACE_SCAN_ARENA_PARTS_H

#include "arenas.h"
#include "glibc.h"

struct walk {
	const struct arenas_input *input;
	struct arenas *out;
	const struct glibc_arena_layout *layout;	/* NULL: there is no arena */
	const struct space_range *last;			/* that a word was in */
	uint64_t steps_left;				/* of the arena at hand */
};

uint64_t walk_word(struct walk *walk, taddr_t address);
void walk_fail(struct walk *walk, const char *why, taddr_t at);
int walk_add_span(struct walk *walk, taddr_t start, taddr_t end);

/* arena_find.c: the main arena and the ring. */
int arena_find(struct walk *walk);

/* arena_segments.c: all chunks of an arena that are used or cached. */
int arena_walk_segments(struct walk *walk, uint32_t arena);

/* arena_mapped.c: blocks that are mappings. */
int arena_walk_mapped(struct walk *walk);

/* arena_cached.c: marks those of the chunks, sorted, that are in a cache or a bin. */
void arena_mark_cached(struct walk *walk);

#endif
