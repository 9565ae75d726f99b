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

static bool is_inside(const struct function *function, code_t code)
{
	/* Where its tails are not all known, they are at least in its module. */
	return function_covers(function, code_pc(code)) ||
	       (function->tails_unknown && code_module(code) == function->module->id);
}

/* The walk ended in the allocator's own code, which has no unwind data. */
static bool ends_inside(const struct walk *walk, const struct function *function)
{
	code_t last = walk->nr ? walk->frames[walk->nr - 1] : 0;

	return walk->end == WALK_LOST && walk->nr &&
	       (is_inside(function, last) ||
		(!function->module->is_program && code_module(last) == function->module->id));
}

enum call_relation calls_relate(const struct function *function, taddr_t slot,
				const struct walk *walk)
{
	uint32_t frame = find_slot(walk, slot);

	if (frame < walk->nr && walk->first_signal <= frame)
		return CALL_OUTERMOST;
	/* The slot may belong to another call by now: what was called must be the function. */
	if (frame < walk->nr)
		return frame && is_inside(function, walk->frames[frame - 1]) ? CALL_NESTED
									     : CALL_STALE;
	/* A handler on another stack, and a walk that did not come back from it. */
	if (walk->first_signal < walk->nr)
		return walk->end == WALK_OUTERMOST ? CALL_STALE : CALL_OUTERMOST;
	if (ends_inside(walk, function) && walk->slots[walk->nr - 1] < slot)
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
