/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Open addressing.  The table is larger than any cache, and so are the nodes of a large program;
 * but a stack's nodes were mostly made one after the other.  So a node's first places are near
 * its parent's number, which keeps those of a stack together; where they are taken, as below a
 * parent of many children, the others are anywhere, each by a stride of its own: the places near
 * the first nodes are all taken over long distances.  Two threads that add the same node race for
 * its place; the loser's node is wasted.
 */
#include "tree.h"

#define NODES_MAX (AGENT_NODES - AGENT_FIRST_NODE)
#define PROBES 256		/* never needed while at most three quarters are full */
#define NEAR_PROBES 8
#define NEAR_PLACES 64u

struct places {
	uint32_t near, far, stride;
};

static struct places places_of(uint32_t parent, code_t frame)
{
	uint64_t hash = (frame ^ parent * 0xbf58476d1ce4e5b9ull) * 0x9e3779b97f4a7c15ull;

	return (struct places){
		.near = parent + parent / 4 + (uint32_t)(hash >> 32) % NEAR_PLACES,
		.far = (uint32_t)(hash >> 40),
		.stride = (uint32_t)(hash >> 16) | 1,
	};
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
static uint32_t *place_at(struct places places, uint32_t i)
{
	uint32_t place = i < NEAR_PROBES ? places.near + i : places.far + i * places.stride;

	return &agent_state.shared->places[place & (AGENT_NODE_PLACES - 1)];
}

/* No equal node lay before the i-th place. */
static __attribute__((noinline)) uint32_t insert(struct places places, uint32_t i, uint32_t parent,
						 code_t frame)
{
	uint32_t node = claim(parent, frame);

	for (; node && i < PROBES; i++) {
		uint32_t *place = place_at(places, i);

		if (agent_swap(place, 0, node))
			return node;
		if (is_node(agent_load(place), parent, frame))
			return agent_load(place);
	}
	return AGENT_ROOT_CUT;
}

static uint32_t find_or_insert(uint32_t parent, code_t frame)
{
	struct places places = places_of(parent, frame);
	uint32_t node, i;

	for (i = 0; i < PROBES && (node = agent_load(place_at(places, i))); i++)
		if (AGENT_LIKELY(is_node(node, parent, frame)))
			return node;
	return i < PROBES ? insert(places, i, parent, frame) : AGENT_ROOT_CUT;
}

/* The table is larger than any cache: most often the same child is wanted as the last time. */
uint32_t agent_tree_add(uint32_t parent, code_t frame)
{
	uint32_t *guess = &agent_state.shared->nodes[parent].child;
	uint32_t node = __atomic_load_n(guess, __ATOMIC_RELAXED);

	if (node >= AGENT_FIRST_NODE && is_node(node, parent, frame))
		return node;
	node = find_or_insert(parent, frame);
	__atomic_store_n(guess, node, __ATOMIC_RELAXED);
	return node;
}
