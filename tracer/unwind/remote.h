/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The full unwinder: libunwind, for stacks with a rule of kind RULE_COMPLEX, for
 * --unwinder=libunwind, and as the oracle that the rules are measured against.  It is some
 * hundred times slower than walk.h, and interprets unwind data as it is in the process's memory.
 * It opens no file: libunwind-ptrace maps those of the modules and believes what they say.
 *
 * Registers and memory come from the caller.  How much one walk may read is bounded, since unwind
 * data can have loops.
 * One thread; one remote per process traced.
 */
#ifndef MEMTRACE_UNWIND_REMOTE_H
#define MEMTRACE_UNWIND_REMOTE_H

#include "../arch/arch.h"
#include "walk.h"

struct remote;

int remote_create(const struct unwind_map *map, struct remote **out);
void remote_destroy(struct remote *remote);

/* As walk_from_call(): the return address lies at regs->rsp. */
void remote_walk(struct remote *remote, const struct memread *memory, const arch_regs *regs,
		 uint32_t depth, struct walk *out);

#endif
