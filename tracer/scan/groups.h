/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blocks that nobody saw allocated, in groups of one size and content: all that there is instead of a
 * site.  Each group is numbered on behind the sites, so that it has a keeper like one.
 *
 *     groups_init()      before anything is judged
 *     groups_add_up()    afterwards
 *
 * One thread.  Functions return 0 or -ENOMEM.
 */
#ifndef MEMTRACE_SCAN_GROUPS_H
#define MEMTRACE_SCAN_GROUPS_H

#include "../base/index.h"
#include "content.h"

#define GROUP_PREVIEW 32

/* Those of one kind. */
struct group_part {
	uint64_t blocks, bytes;
	uint64_t indirect_blocks, indirect_bytes;	/* what only these lead to, of any site */
	taddr_t example;				/* the first of them */
	unsigned char preview[GROUP_PREVIEW];		/* what it begins with */
	unsigned preview_bytes;
};

struct group {
	struct content content;
	uint64_t size;			/* of each; 0: they are of several */
	struct group_part parts[REACH_KINDS];
};

struct groups {
	uint32_t first_site;		/* that of items[0]; lower ones were seen allocated */
	struct group *items;
	size_t nr, room;
	struct index index;
};

/* Changes sites[] of blocks from no_site to those of their groups, but for the allocator's own. */
int groups_init(struct groups *groups, const struct space *space, const struct maps *maps,
		const struct blocks *blocks, uint32_t *sites, uint32_t no_site);
void groups_add_up(struct groups *groups, const struct space *space, const struct blocks *blocks,
		   const uint32_t *sites);
void groups_release(struct groups *groups);

#endif
