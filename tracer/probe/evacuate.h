/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Moves threads from one place in code to another that means the same, and tells whether any
 * is, or will come back to, where code is about to go.
 *
 * A thread keeps a pc in three places: its registers; the frames of signal handlers that will
 * return (the kernel's struct rt_sigframe); and return addresses.  The first two are moved, the
 * third can only be waited for.
 *
 * All threads held, or waiting in the kernel.  One thread.
 */
#ifndef MEMTRACE_PROBE_EVACUATE_H
#define MEMTRACE_PROBE_EVACUATE_H

#include "../target/maps.h"
#include "../target/process.h"

struct evacuation {
	/* Where a pc is to go; the same: it stays. */
	taddr_t (*moved)(void *owner, taddr_t pc);
	/* Code that nobody may be in. */
	bool (*concerns)(void *owner, taddr_t pc);
	/* A word on the thread's stack may be a return address into such code, or an old one: is
	 * it in use?  is_framed: so may be a signal frame. */
	bool (*returns)(void *owner, const struct thread *thread, const arch_regs *regs,
			bool is_framed);
	void *owner;
};

/* Moves all threads of the process; *nr_inside (may be NULL) counts those that are, perhaps
 * deep in their stacks, in code that concerns, after the move.  -errno: none was moved, and all
 * are counted. */
int evacuate(struct process *process, const struct evacuation *evacuation, size_t *nr_inside);

#endif
