/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Walks a stack from the registers of a stopped thread, by the compact rules of
 * symbolizer/rules.h.  No frame pointers are needed; where there is no unwind data a guarded
 * frame-pointer step is tried.
 *
 * One walker per thread of the tracer.  Nothing here fails: a walk ends, and says why.
 */
#ifndef MEMTRACE_UNWIND_WALK_H
#define MEMTRACE_UNWIND_WALK_H

#include "../base/memread.h"
#include "map.h"
#include "step.h"

#define WALK_DEPTH_MAX 1024

struct unwind_start {
	taddr_t pc, sp, fp;
};

struct walk {
	enum walk_end end;
	bool complex;			/* the full unwinder took it, for want of a rule */
	uint32_t nr;			/* frames, innermost first, without the start itself */
	code_t frames[WALK_DEPTH_MAX];	/* return addresses: the code is at the byte before */
	taddr_t slots[WALK_DEPTH_MAX];	/* where on the stack each of them lies; for a frame
					 * that a signal interrupted, its stack pointer */
	uint32_t first_signal;		/* first frame interrupted by a signal; nr if none */
};

/* The trampoline to which a signal handler returns; it is entered at its first byte. */
bool walk_is_sigreturn(const struct memread *memory, taddr_t pc);

#define WALK_CACHE_ENTRIES 4096

struct walker {
	const struct unwind_map *map;
	uint64_t generation;
	struct walk_cache_entry {
		taddr_t place;	/* return address minus one; 0: empty */
		uint32_t module;
		bool executable;
		struct rule rule;
	} cache[WALK_CACHE_ENTRIES];
};

/* The walker keeps the map's address. */
void walker_init(struct walker *walker, const struct unwind_map *map);

/* At most `depth` frames (<= WALK_DEPTH_MAX).  `start` is a function's first instruction, or
 * its ret: the return address lies at sp.  `stack` reads the thread's stack. */
void walk_from_call(struct walker *walker, const struct memread *stack,
		    const struct unwind_start *start, uint32_t depth, struct walk *out);

/* The same from anywhere, where a thread was stopped; frames[0] is that place. */
void walk_from_stop(struct walker *walker, const struct memread *stack,
		    const struct unwind_start *start, uint32_t depth, struct walk *out);

#endif
