/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where signal handlers return to, of all modules: the C library's restorer, known by its code
 * (unwind/step.h), since not every library has unwind data for it.  The agent must not look at
 * code itself: a library may be gone before the map says so.
 *
 * One thread.  A module is searched once: a file that comes back to its place is the same.
 */
#ifndef MEMTRACE_PROBE_TRAMPOLINES_H
#define MEMTRACE_PROBE_TRAMPOLINES_H

#include "../target/modules.h"

struct trampoline {
	taddr_t address;
	uint32_t module;
};

struct trampolines {
	struct trampoline *items;	/* those of one module in order */
	size_t nr, room;
	struct {
		bool *items;		/* by place in struct modules */
		size_t nr, room;
	} searched;
};

void trampolines_deinit(struct trampolines *trampolines);

/* Reads the files of modules not searched yet.  One that cannot be read has none. */
void trampolines_learn(struct trampolines *trampolines, const struct modules *modules, pid_t tid);

#endif
