/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The full unwinder: libunwind-ptrace, for stacks with a rule of kind RULE_COMPLEX, for
 * --unwinder=libunwind, and as the oracle that the rules are measured against.  It is some
 * hundred times slower than walk.h, and it reads the modules' files itself.
 *
 * Registers and memory come from the caller, not from PTRACE_PEEKDATA a word at a time.
 * One thread; one remote per process traced.
 */
#ifndef MEMTRACE_UNWIND_REMOTE_H
#define MEMTRACE_UNWIND_REMOTE_H

#include <sys/types.h>

#include "../arch/arch.h"
#include "walk.h"

struct remote;

/* tid: any live thread of the process; its /proc entry names the modules. */
int remote_create(pid_t tid, const struct unwind_map *map, struct remote **out);
void remote_destroy(struct remote *remote);

/* As walk_from_call(): the return address lies at regs->rsp. */
void remote_walk(struct remote *remote, const struct memread *memory, const arch_regs *regs,
		 uint32_t depth, struct walk *out);

#endif
