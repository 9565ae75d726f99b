/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The heap of glibc's malloc, walked from outside in a copy of memory: every block in use, and what
 * of the memory is the allocator's.  Nothing is taken for granted: what does not prove itself makes
 * the walk incomplete, and then nothing may be said of what it did not find.
 *
 *     main arena   in libc's data; its segments from the break, or mapped where that is blocked
 *     arenas       a ring from there; heaps of 64 MiB, chained from each one's top
 *     mapped       large blocks, each a mapping of its own
 *
 * Blocks that wait in a thread's cache or a fast bin look like used ones, and are told by lists.
 *
 * Pure, but for what the space holds.  One thread.  Sizes are those that fit, in bytes.
 */
#ifndef MEMTRACE_SCAN_ARENAS_H
#define MEMTRACE_SCAN_ARENAS_H

#include "../target/maps.h"
#include "space.h"

struct span {
	taddr_t start, end;
};

struct arenas_input {
	const struct space *space;
	const struct maps *maps;
	/* libc's writable memory: the data of its file and the .bss behind it. */
	const struct span *data;
	size_t nr_data;
	const taddr_t *thread_pointers;	/* fs_base of every thread */
	size_t nr_threads;
};

struct arena_chunk {
	taddr_t address;	/* of the user memory */
	uint64_t size;
	uint32_t arena;		/* index; ARENAS_MAPPED */
	bool cached;		/* waits to be used again */
	bool own;		/* the allocator's: a thread's cache */
};

#define ARENAS_MAPPED UINT32_MAX

struct arena {
	taddr_t address;
	bool busy;		/* a thread was at work in it */
	unsigned nr_segments;
	uint64_t system_bytes, top_bytes;
	uint64_t used_blocks, used_bytes, free_blocks, free_bytes, cached_blocks, cached_bytes;
};

struct arenas {
	/* In use, sorted by address. */
	struct arena_chunks {
		struct arena_chunk *items;
		size_t nr, room;
	} chunks;
	struct {
		struct arena *items;
		size_t nr, room;
	} arenas;		/* the main one first; none: this malloc was never called */
	/* All memory of the heap, sorted; and the main arena, whose lists are no roots either. */
	struct spans {
		struct span *items;
		size_t nr, room;
	} spans;
	uint64_t mapped_blocks, mapped_bytes;
	uint64_t unknown_caches;	/* threads whose cache was not found; they may have none */
	/* Why it is not complete, the first reason, and the place; NULL: it is. */
	const char *incomplete;
	taddr_t incomplete_at;
};

/* Adds where the C library's data may be: most likely in a file of its name, else, of a static program
 * or a library that was renamed, in any.  0 or -ENOMEM; the items are the caller's. */
int arenas_data(struct spans *spans, const struct maps *maps);

/* The arenas alone, without what is in them.  0 or -ENOMEM, likewise. */
int arenas_find(const struct arenas_input *input, struct arenas *out);

/* 0 or -ENOMEM: nothing is left to release. */
int arenas_walk(const struct arenas_input *input, struct arenas *out);
void arenas_release(struct arenas *arenas);

#endif
