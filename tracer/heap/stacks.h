/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interned stacks: each distinct one is kept once, as return addresses, innermost first.
 * Ids count from 0 and stay valid for the table's life.  One thread; -ENOMEM is the only
 * failure.
 */
#ifndef MEMTRACE_HEAP_STACKS_H
#define MEMTRACE_HEAP_STACKS_H

#include "../base/types.h"

struct stacks;

struct stack_view {
	const code_t *frames;	/* valid until the next stacks_intern() */
	uint32_t nr_frames;
	bool truncated;
};

int stacks_create(struct stacks **out);
void stacks_destroy(struct stacks *stacks);

int stacks_intern(struct stacks *stacks, const code_t *frames, uint32_t nr_frames, bool truncated,
		  uint32_t *out_id);
struct stack_view stacks_get(const struct stacks *stacks, uint32_t id);
uint32_t stacks_count(const struct stacks *stacks);

#endif
