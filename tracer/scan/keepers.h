/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who keeps the blocks of a site: a shortest way from a root to the one of them that is nearest to
 * any; from the program's data, where that leads to any (reach.h).  Of blocks that are reachable, and apart from those of blocks that are possibly lost.
 *
 *     root [slot] ---> block +offset ---> block +offset ---> ... ---> the site's
 *
 *     keepers_init()     before reach_run(), which calls keepers_note()
 *     keepers_find()     after it, while the space is there
 *
 * One thread.  Functions return 0 or -ENOMEM.
 */
#ifndef MEMTRACE_SCAN_KEEPERS_H
#define MEMTRACE_SCAN_KEEPERS_H

#include "reach.h"
#include "roots.h"

struct keeper_step {
	taddr_t address;
	uint64_t size;		/* bytes, as the block has them */
	uint32_t site;		/* as in scan.h */
	taddr_t slot;		/* where the pointer to it lies; 0: a register, or not looked for */
};

/* Of longer ways the first ones and the last. */
#define KEEPER_STEPS 8

struct keeper {
	struct root_owner root;
	uint32_t nr_blocks;	/* on the way, with the last, which is the site's */
	uint32_t nr_steps, first_step;
};

struct keepers {
	const struct blocks *blocks;
	const uint32_t *sites;		/* of each block */
	uint32_t no_site;
	size_t nr_sites;
	uint32_t *nearest;		/* [site * 2 + is possible]: block; later index of items */
	struct {
		struct keeper *items;
		size_t nr, room;
	} found;
	struct {
		struct keeper_step *items;
		size_t nr, room;
	} steps;
};

/* blocks and sites outlive it. */
int keepers_init(struct keepers *keepers, const struct blocks *blocks, const uint32_t *sites,
		 uint32_t no_site);
void keepers_note(void *keepers, uint32_t id);
int keepers_find(struct keepers *keepers, const struct reach *reach, const struct roots *roots);
void keepers_release(struct keepers *keepers);

/* NULL: there is none, or the way was too long to be followed. */
const struct keeper *keepers_of(const struct keepers *keepers, uint32_t site, bool possible);
const struct keeper_step *keepers_steps(const struct keepers *keepers, const struct keeper *keeper);

#endif
