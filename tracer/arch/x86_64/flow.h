/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A function followed from its entry through all its direct branches: where it returns, whom
 * it calls, and which jumps leave it.
 *
 * Pure functions of the bytes that a memread gives; any thread.
 */
#ifndef MEMTRACE_ARCH_X86_64_FLOW_H
#define MEMTRACE_ARCH_X86_64_FLOW_H

#include "../../base/memread.h"

struct flow_addresses {
	taddr_t *items;
	size_t nr, room;
};

struct flow {
	struct flow_addresses returns;	/* addresses of near ret instructions */
	struct flow_addresses calls;	/* targets of direct calls */
	struct flow_addresses tails;	/* targets of direct jumps out of [start, end) */
	taddr_t first_target;		/* lowest address from the entry on that a direct jump of its
					 * own goes to; UINT64_MAX: none */
	bool indirect_jump;		/* a jump table or an indirect tail jump: may hide any of them */
	bool indirect_call;
	bool undecodable;		/* some path runs into bytes that are no instruction */
};

/* [start, end) bounds the function; entry lies in it.  -ENOMEM, or -E2BIG for a function of
 * more instructions than any allocator's has.  On failure *out holds nothing. */
int flow_explore(const struct memread *code, taddr_t entry, taddr_t start, taddr_t end,
		 struct flow *out);
void flow_release(struct flow *flow);

/* 0 also if it is there already. */
int flow_add(struct flow_addresses *addresses, taddr_t address);
bool flow_has(const struct flow_addresses *addresses, taddr_t address);

#endif
