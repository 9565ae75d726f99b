/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Breakpoints that stay armed: an int3 over one byte, and a way to have the effect of the
 * instruction it displaced without ever putting that back.  So no call of another thread is
 * ever missed, and no single step is needed.
 *
 * One thread.  Writing one byte into running code is atomic; the target need not be stopped
 * to set a breakpoint, but all its threads must be to take them away (memory_undo).
 */
#ifndef MEMTRACE_PROBE_BREAKPOINT_H
#define MEMTRACE_PROBE_BREAKPOINT_H

#include "../target/process.h"
#include "slots.h"

enum breakpoint_role {
	BREAKPOINT_ENTRY = 1,	/* a function's first instruction */
	BREAKPOINT_RETURN = 2,	/* a ret instruction: the return address lies at sp */
	BREAKPOINT_SITE = 4,	/* a return address: the call's sp was 8 lower */
	BREAKPOINT_LOADER = 8,	/* the list of modules has changed */
};

struct breakpoint {
	taddr_t address;	/* 0: a free place in the table */
	uint32_t roles;
	uint32_t function;	/* of ENTRY */
	uint32_t module;
	struct displaced displaced;
	taddr_t slot;		/* of a COPY; of a RETURN: another ret */
};

struct breakpoints {
	struct breakpoint *table;	/* open addressing */
	size_t room, nr;
	struct slots slots;
};

void breakpoints_deinit(struct breakpoints *breakpoints);

/* Adds a role to the breakpoint there, or makes one.  -ENOTSUP: the instruction cannot be
 * displaced; -ENOSPC: no slack within reach. */
int breakpoint_set(struct breakpoints *breakpoints, struct memory *memory, taddr_t address,
		   enum breakpoint_role role, uint32_t function, uint32_t module);

struct breakpoint *breakpoint_find(const struct breakpoints *breakpoints, taddr_t address);

/* Sets the thread's registers so that it goes on as if the breakpoint were not there. */
int breakpoint_pass(const struct breakpoint *breakpoint, const struct thread *thread,
		    arch_regs *regs);

/* Where a thread that stands in a slot stands in the original code; 0: it is in no slot.
 * *breakpoint is the one whose instruction it is about to run, or NULL. */
taddr_t breakpoint_original_pc(const struct breakpoints *breakpoints, taddr_t pc,
			       const struct breakpoint **breakpoint);

/* The module is gone, and with it what was patched there. */
void breakpoints_forget_module(struct breakpoints *breakpoints, uint32_t module);

#endif
