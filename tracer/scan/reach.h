/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which blocks a program can still come to, in the sense of valgrind's memcheck: from roots
 * (globals, stacks, registers) by pointers that lie on eight bytes.  A pointer to a block's start
 * counts; one to its inside may be chance, unless a heuristic knows its like.
 *
 *     roots ---> reachable ------> reachable
 *       |            :
 *       :            : to the inside
 *       v            v
 *     possible ---> possible                 whatever way leads on from there
 *
 *     definite ---> indirect ---> indirect   among the rest, any pointer counts; what points to
 *     definite <--> definite                 each other in a ring is lost as one
 *
 * Breadth first, so that the way from a root that is kept is a shortest one, but for this: what any
 * lasting root leads to is kept by one of those, since a stack that is just at work on it would be
 * no answer to who keeps it.  Nothing recurses: a
 * list may have millions of nodes.  12 bytes of work space a block while it runs.
 *
 * One thread.  Blocks, space and roots stay the caller's.
 */
#ifndef MEMTRACE_SCAN_REACH_H
#define MEMTRACE_SCAN_REACH_H

#include "blocks.h"
#include "space.h"

/* Words that a program has outside its heap.  Earlier roots are preferred as keepers; lasting ones are
 * the first. */
struct reach_root {
	const uint64_t *words;	/* registers, say; NULL: what the space has in [start, end) */
	size_t nr_words;
	taddr_t start, end;
	uint32_t owner;		/* the caller's */
	bool lasts;		/* as long as the program: its data */
	bool keeps_by_insides;	/* its pointers to the inside of a block are as good as to its start */
};

struct reach {
	struct blocks *blocks;
	const struct space *space;
	const struct reach_root *roots;
	size_t nr_roots;
	unsigned heuristics;	/* INSIDE_*, see inside.h */
	/* NULL, or told of each block that is reachable, then of each that is possibly lost, the
	 * nearest to a root first. */
	void (*on_reached)(void *owner, uint32_t id);
	void *owner;
	/* Found, by kinds. */
	struct {
		uint64_t blocks, bytes;
	} totals[REACH_KINDS];
	uint64_t scanned_bytes;
};

/* Sets kind, keeper and leader of every block.  Begins with what is above the totals, all else zero.
 * 0 or -ENOMEM. */
int reach_run(struct reach *reach);

/* Who keeps a block that is reachable or possible: a block, or a root (*root, else -1). */
uint32_t reach_keeper(const struct reach *reach, uint32_t id, int64_t *root);

#endif
