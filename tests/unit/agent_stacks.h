/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The stacks that the agent records, compared with the tracer's walk from the same registers. */
#ifndef MEMTRACE_TESTS_AGENT_STACKS_H
#define MEMTRACE_TESTS_AGENT_STACKS_H

#include "../../tracer/unwind/walk.h"
#include "agent_calls.h"

static struct walker walker;
static struct walk reference;

static uint32_t path_of(uint32_t node, code_t *frames, uint32_t room, bool *is_cut)
{
	uint32_t nr = 0;

	for (; node >= AGENT_FIRST_NODE; node = agent_state.shared->nodes[node].parent) {
		if (nr == room)
			break;
		frames[nr++] = agent_state.shared->nodes[node].frame;
	}
	*is_cut = node != AGENT_ROOT;
	return nr;
}

static bool is_same(const code_t *frames, uint32_t nr, uint32_t wanted)
{
	return nr == wanted && !memcmp(frames, reference.frames, nr * sizeof(frames[0]));
}

/* As the tracer cuts a stack. */
static void compare(uint32_t node)
{
	static code_t frames[WALK_DEPTH_MAX];
	uint32_t depth = agent_state.depth, wanted = reference.nr < depth ? reference.nr : depth;
	bool is_cut;
	uint32_t nr = path_of(node, frames, depth, &is_cut);

	if (!is_same(frames, nr, wanted))
		for (uint32_t i = 0; i < nr || i < wanted; i++)
			print_message("%u: %#" PRIx64 " %#" PRIx64 "\n", i, i < nr ? frames[i] : 0,
				      i < wanted ? reference.frames[i] : 0);
	assert_int_equal(nr, wanted);
	for (uint32_t i = 0; i < nr; i++)
		assert_int_equal(frames[i], reference.frames[i]);
	/* a signal frame that leads to where nobody knows what may be read */
	if (reference.nr <= depth && reference.end == WALK_LOST &&
	    reference.first_signal < reference.nr)
		return;
	assert_int_equal(is_cut, reference.nr > depth || reference.end == WALK_DEPTH);
}

static int stacks_start(void **state)
{
	walker_init(&walker, &fixture.map);
	return calls_start(state);
}

#endif
