/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words of memory that point into blocks: of any words, of a range, of a block; all in one go
 * or one at a time.  Words lie on eight bytes.  One thread.
 */
#ifndef MEMTRACE_SCAN_POINTERS_H
#define MEMTRACE_SCAN_POINTERS_H

#include "blocks.h"
#include "space.h"

struct pointers {
	const struct blocks *blocks;
	const struct space *space;
	/* A bit for each block: pointers to those that have it are passed over, at a word. */
	uint64_t *known;
	/* To the block `id`, found in `from`, which is whatever the caller has passed. */
	void (*on_pointer)(struct pointers *pointers, uint32_t from, uint32_t id, taddr_t pointer);
	uint64_t scanned_bytes;
};

static inline bool pointers_knows(const struct pointers *pointers, uint32_t id)
{
	return pointers->known[id / 64] >> id % 64 & 1;
}

static inline void pointers_know(const struct pointers *pointers, uint32_t id)
{
	pointers->known[id / 64] |= 1ull << id % 64;
}

void pointers_in_words(struct pointers *pointers, uint32_t from, const uint64_t *words, size_t nr);
void pointers_in_range(struct pointers *pointers, uint32_t from, taddr_t start, taddr_t end);

/* In all of the blocks of a queue, which on_pointer() may make longer: from is the block's id. */
struct pointers_queue {
	uint32_t *ids;		/* room for each block once */
	uint32_t first, nr;
};

void pointers_in_queue(struct pointers *pointers, struct pointers_queue *queue);

/* The next pointer of a block, from the word *word of it on, which is left behind the one found;
 * BLOCKS_NONE: there is none.  Known blocks count like others.  Words beyond 32 GiB of a block are
 * not looked at. */
uint32_t pointers_next(const struct pointers *pointers, uint32_t id, uint32_t *word);

#endif
