/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Open addressing with linear probing.  Two threads that add the same node race for its place;
 * the loser's node is wasted.
 */
#include "tree.h"

#define NODES_MAX (AGENT_NODES - AGENT_FIRST_NODE)
#define PROBES 4096		/* never needed while at most three quarters are full */

static uint32_t first_place(uint32_t parent, code_t frame)
{
	uint64_t hash = (frame ^ parent * 0xbf58476d1ce4e5b9ull) * 0x9e3779b97f4a7c15ull;

	return (uint32_t)(hash >> 40) & (AGENT_NODE_PLACES - 1);
}

/* 0: the tree is full. */
static uint32_t claim(uint32_t parent, code_t frame)
{
	struct agent_shared *shared = agent_state.shared;
	uint32_t nr = NODES_MAX;

	if (__atomic_load_n(&shared->nr_nodes, __ATOMIC_RELAXED) < NODES_MAX)
		nr = agent_add(&shared->nr_nodes, 1);
	if (nr >= NODES_MAX)
		return 0;
	shared->nodes[AGENT_FIRST_NODE + nr] =
		(struct agent_node){ .frame = frame, .parent = parent };
	return AGENT_FIRST_NODE + nr;
}

static bool is_node(uint32_t node, uint32_t parent, code_t frame)
{
	const struct agent_node *found = &agent_state.shared->nodes[node];

	return node < AGENT_NODES && found->frame == frame && found->parent == parent;
}

/* The i-th place to look at. */
static uint32_t *place_at(uint32_t first, uint32_t i)
{
	return &agent_state.shared->places[(first + i) & (AGENT_NODE_PLACES - 1)];
}

/* No equal node lay before the i-th place. */
static __attribute__((noinline)) uint32_t insert(uint32_t first, uint32_t i, uint32_t parent,
						 code_t frame)
{
	uint32_t node = claim(parent, frame);

	for (; node && i < PROBES; i++) {
		uint32_t *place = place_at(first, i);

		if (agent_swap(place, 0, node))
			return node;
		if (is_node(agent_load(place), parent, frame))
			return agent_load(place);
	}
	return AGENT_ROOT_CUT;
}

uint32_t agent_tree_add(uint32_t parent, code_t frame)
{
	uint32_t first = first_place(parent, frame), node, i;

	for (i = 0; i < PROBES && (node = agent_load(place_at(first, i))); i++)
		if (AGENT_LIKELY(is_node(node, parent, frame)))
			return node;
	return i < PROBES ? insert(first, i, parent, frame) : AGENT_ROOT_CUT;
}
