/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One allocation event.  Every engine makes it, every consumer takes it; this is the only
 * thing that the two have in common.
 *
 * Order: the events of one address come in the order in which the target did them.  A free
 * is told before the real free, an allocation after the real allocation.  A realloc is two
 * events, since the old block is gone somewhere in between: RESIZE_BEGIN before it,
 * RESIZE_END after it.  An event lives only as long as the call that hands it over.
 *
 * A consumer that asks for the callers of all calls (probe_options.callers) finds the innermost
 * frames with FREE, RESIZE_BEGIN and FAILED as well, and the kernel's number of the thread.  It
 * must be the one taker, and has all events in the order in which the target did them.
 */
#ifndef MEMTRACE_EVENT_H
#define MEMTRACE_EVENT_H

#include <sys/types.h>

#include "../base/types.h"

enum event_kind {
	EVENT_ALLOC,		/* address, size, stack */
	EVENT_FREE,		/* address */
	EVENT_ALLOC_INSIDE,	/* address: a block that a call which does not count returned, or could
				 * not resize; 0: some block, nobody knows where */
	EVENT_FREE_INSIDE,	/* address: freed or resized by a call that does not count; of that
				 * address alone, with ADDRESS_POOL or without */
	EVENT_RESIZE_BEGIN,	/* old_address: about to be resized by this thread */
	EVENT_RESIZE_END,	/* old_address, address, size, stack; see below */
	EVENT_RESIZE_LOST,	/* old_address: the call will never be seen to end */
	EVENT_FAILED,		/* an allocation that returned no memory */
};

/*
 * FREE and RESIZE_BEGIN tell who called: by the return address, and where free_stacks were asked
 * for by a whole stack.  What the allocator's own module does always has its stack (from_own): it
 * may free what is free already, as glibc does with what a thread that ends has cached.
 *
 * Addresses of blocks of functions that the user has named have ADDRESS_POOL set.
 * RESIZE_END: address != 0: the block is now there.  address == 0 and size == 0: realloc(p, 0)
 * freed it.  address == 0 and size != 0: it failed and the old block lives.
 */
struct event {
	enum event_kind kind;
	uint32_t function;	/* index into the run's table of functions */
	pid_t tid;		/* of the engine's own: within a call only that they differ counts */
	pid_t kernel_tid;	/* the kernel's number, where that was asked for; 0: not known */
	taddr_t address;
	taddr_t old_address;
	taddr_t caller;		/* of a free: where it returns to; 0: not known */
	bool from_own;		/* ... which is in the function's own module */
	uint64_t size;		/* bytes, as asked for */
	uint64_t time_ns;	/* since the attach */
	const code_t *stack;	/* return addresses, innermost first; not ours to keep */
	uint32_t nr_frames;
	bool truncated;		/* the stack is longer than what was kept */
	/* A cell of the engine's for this function and stack, in which the heap leaves the site's
	 * id plus one; NULL: none.  Where it is not 0 any more, the stack is not told again. */
	uint32_t *site;
};

#endif
