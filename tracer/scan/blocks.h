/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The blocks of one moment, sorted, and an index that tells for any word of memory which block it
 * points into.  Most words point into none, and are told by their page:
 *
 *     address   47      30 29      12 11    3 2  0
 *              +----------+----------+-------+----+
 *              |  giant   |   page   | place |    |
 *              +----------+----------+-------+----+
 *                   |          |         |
 *        tables[giant][page]   |         `--> a bit where a block starts; those before it and
 *                   |                         the blocks before the page make its id
 *                   |
 *                   `--> no block | the block that covers the page | blocks before, and bits
 *
 * Two loads tell the block, a third its end.  Beside the blocks' own 24 bytes that takes 1 to 2
 * bytes for each of many, a sixtieth of the heap's size.  Where one starts between two places,
 * which no malloc does, blocks are found by halves instead.
 *
 * Filled once; then blocks_find() may be called by any number of threads.
 */
#ifndef MEMTRACE_SCAN_BLOCKS_H
#define MEMTRACE_SCAN_BLOCKS_H

#include "../base/types.h"

enum reach_kind {
	REACH_DEFINITE,		/* nothing points to it, or to the ring that it is part of */
	REACH_INDIRECT,		/* only what is lost points to it */
	REACH_POSSIBLE,		/* only pointers to its inside lead to it, or such to its holders */
	REACH_REACHABLE,
	REACH_KINDS
};

/* One block; 24 bytes.  The second half is reach.c's. */
struct scan_block {
	taddr_t address;
	uint64_t size : 47;	/* bytes */
	uint64_t is_holder : 1;	/* of collect.c: others lie in it */
	uint64_t usable : 1;	/* that is what fits, not what was asked for */
	uint64_t opaque : 1;	/* its words are no pointers of the program: the allocator's own */
	uint64_t kind : 2;	/* enum reach_kind, afterwards */
	uint64_t pointed_into : 1;	/* by what is reachable */
	uint64_t on_stack : 1;		/* of lost.c, and: */
	uint64_t has_holder : 1;	/* the first of a component, to which another one points */
	uint32_t keeper;	/* reachable, possible: see reach_keeper() */
	uint32_t leader;	/* indirect: a block that is lost by itself and leads to it */
};

#define BLOCKS_NONE UINT32_MAX
/* More are refused: ids of blocks and of roots share 32 bits. */
#define BLOCKS_MOST 0x7fffffff

struct blocks {
	struct scan_block *items;
	uint32_t nr;
	taddr_t lowest, highest;	/* the first byte of all, and the last one */
	bool by_halves;
	struct blocks_entry **tables;
	struct blocks_page *pages;	/* item 0 is not used */
	size_t nr_pages, pages_room;
};

/* items, sorted by address and none within another, stay the caller's; they must not be moved
 * while the index lives.  0, -EINVAL (not so), -E2BIG or -ENOMEM: nothing is left to release. */
int blocks_init(struct blocks *blocks, struct scan_block *items, size_t nr);
void blocks_deinit(struct blocks *blocks);

/* The block that an address lies in; also the address right behind one of eight bytes: an array
 * without elements behind its count (new T[0]).  BLOCKS_NONE: in none. */
uint32_t blocks_find(const struct blocks *blocks, taddr_t address);

/* The same for some at once, whose loads wait for memory together: the only block that each can
 * lie in, without a look at the block.  Addresses lie in [lowest, highest]. */
#define BLOCKS_BATCH 32
void blocks_guess(const struct blocks *blocks, const taddr_t *addresses, size_t nr, uint32_t *ids);
bool blocks_holds(const struct blocks *blocks, uint32_t id, taddr_t address);

/* Bytes that the index holds, without the blocks. */
size_t blocks_bytes(const struct blocks *blocks);

#endif
