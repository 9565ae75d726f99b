/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How glibc's malloc lays out its heap on x86-64: malloc/malloc.c and malloc/arena.c of the versions
 * named.  Distributions carry changes back under old numbers, so a layout is never chosen by a
 * version: each is tried, and must prove itself.
 *
 *     chunk:   | size of the one before, if free | size, flags | user memory ...
 *              ^ address                                       ^ address + 16
 *
 * Memory is used up to 8 bytes into the next chunk.
 */
#ifndef MEMTRACE_SCAN_GLIBC_H
#define MEMTRACE_SCAN_GLIBC_H

#include "../base/types.h"

#define GLIBC_PREV_INUSE 1u
#define GLIBC_MMAPPED 2u
#define GLIBC_NON_MAIN 4u
#define GLIBC_FLAGS 7u
#define GLIBC_HEADER 16u		/* from a chunk to its user memory */
#define GLIBC_OVERLAP 8u		/* of a chunk's user memory with the next one's header */
#define GLIBC_LEAST 32u			/* bytes of a chunk */
#define GLIBC_ALIGNMENT 16u
#define GLIBC_HEAP_BYTES (64ul << 20)	/* heaps of other arenas are aligned to it */
#define GLIBC_BINS 127u

/* struct malloc_state: offsets in bytes. */
struct glibc_arena_layout {
	unsigned nr_fastbins, fastbins, top, bins, next, system_bytes, most_bytes, bytes;
};

#define GLIBC_NR_ARENA_LAYOUTS 4u
extern const struct glibc_arena_layout glibc_arena_layouts[GLIBC_NR_ARENA_LAYOUTS];

/* struct tcache_perthread_struct. */
struct glibc_tcache_layout {
	uint64_t chunk_bytes;
	unsigned nr_lists, lists;	/* offset in bytes */
};

#define GLIBC_NR_TCACHE_LAYOUTS 3u
extern const struct glibc_tcache_layout glibc_tcache_layouts[GLIBC_NR_TCACHE_LAYOUTS];

#endif
