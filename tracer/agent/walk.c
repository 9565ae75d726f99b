/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The stack that a signal frame leads to. */
#include "walk.h"

/* Unwind data leads into the red zone where a register has been popped and is still said to be
 * where it was. */
static bool bounds_of_interrupted(struct agent_thread *thread, taddr_t sp,
				  struct agent_bounds *bounds)
{
	return agent_bounds_at(thread, sp - RED_ZONE_BYTES, bounds) ||
	       agent_bounds_at(thread, sp, bounds);
}

void agent_walk_follow(struct agent_walk *walk, taddr_t sp)
{
	struct agent_bounds bounds;

	if (agent_bounds_hold(&walk->bounds, sp))
		return;
	/* From an alternate stack there is one way: back to the thread's own. */
	walk->is_known = bounds_of_interrupted(walk->thread, sp, &bounds);
	/* Lower on the stack that we are on: nobody knows what is mapped there. */
	if (walk->is_known && bounds.high != walk->bounds.high)
		walk->bounds = bounds;
}
