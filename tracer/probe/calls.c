/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Relations between the calls of one thread, told from its stack. */
#include "calls.h"

/* Frame whose return address lies at slot; walk->nr if there is none. */
static uint32_t find_slot(const struct walk *walk, taddr_t slot)
{
	uint32_t i = 0;

	while (i < walk->nr && walk->slots[i] != slot)
		i++;
	return i;
}

enum call_relation calls_relate(const struct calls *calls, const struct walk *walk, taddr_t sp)
{
	const struct call *inner;
	uint32_t frame;

	if (!calls->nr)
		return CALL_OUTERMOST;
	inner = &calls->items[calls->nr - 1];
	frame = find_slot(walk, inner->sp);
	if (frame < walk->nr)
		return walk->first_signal <= frame ? CALL_OUTERMOST : CALL_NESTED;
	/* A handler on another stack, and a walk that did not come back from it. */
	if (walk->first_signal < walk->nr && walk->end != WALK_OUTERMOST)
		return CALL_OUTERMOST;
	/* The allocator has no unwind data: its frames ended the walk below the call's own. */
	if (walk->end == WALK_LOST && sp < inner->sp &&
	    (!walk->nr || walk->slots[walk->nr - 1] < inner->sp))
		return CALL_NESTED;
	return CALL_STALE;
}

bool calls_push(struct calls *calls, const struct call *call)
{
	if (calls->nr == CALLS_MAX)
		return false;
	calls->items[calls->nr++] = *call;
	return true;
}

int calls_find(const struct calls *calls, taddr_t sp)
{
	for (uint32_t i = calls->nr; i-- > 0;)
		if (calls->items[i].sp == sp)
			return (int)i;
	return -1;
}
