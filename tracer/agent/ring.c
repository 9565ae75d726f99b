/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Claims a place, waits for one while the tracer lives, and fills it. */
#include "ring.h"

#define ROOM (AGENT_RING_RECORDS - AGENT_RING_MARGIN)
#define SIZE_MAX_RECORDED ((1ull << 48) - 1)

/* Signed: `claimed` may be the older one of the two. */
static bool has_room(const struct agent_ring *ring, uint64_t taken)
{
	return (int64_t)(__atomic_load_n(&ring->claimed, __ATOMIC_RELAXED) - taken) <
	       (int64_t)ROOM;
}

static bool look_again(struct agent_ring *ring)
{
	uint64_t taken = agent_load(&ring->taken);

	agent_store(&ring->taken_seen, taken);
	return has_room(ring, taken);
}

/* Cycles at which this wait, or one of somebody else's since the tracer moved, began. */
static uint64_t wait_start(struct agent_shared *shared)
{
	uint64_t now_ns = agent_load(&shared->now_ns);

	if (agent_load(&shared->wait_ns) != now_ns) {
		agent_store(&shared->wait_cycles, agent_cycles());
		agent_store(&shared->wait_ns, now_ns);
	}
	return agent_load(&shared->wait_cycles);
}

/* A log has all in one ring, and its reader wants it whole. */
static uint64_t longest_wait(void)
{
	return agent_state.callers ? 64 * agent_state.wait_cycles : agent_state.wait_cycles;
}

/* The longest wait is bounded; who waited in vain spares the others, until the tracer moves. */
static __attribute__((noinline)) bool wait_for_room(struct agent_ring *ring)
{
	struct agent_shared *shared = agent_state.shared;
	uint64_t start, cycles, waited = 0;
	bool is_room = look_again(ring);

	if (is_room)
		return true;
	start = wait_start(shared);
	cycles = agent_cycles();
	/* Signed: the clock may be read before the start that another thread has just written. */
	while (!is_room && !agent_is_forsaken() &&
	       (int64_t)(cycles - start) < (int64_t)longest_wait()) {
		waited += agent_turn(&cycles);
		is_room = look_again(ring);
	}
	agent_note_wait(waited);
	if (!is_room)
		agent_store(&shared->stalled_ns, agent_load(&shared->now_ns));
	return is_room;
}

/* NULL: there is no room. */
static struct agent_record *claim(unsigned number, uint64_t *index)
{
	struct agent_shared *shared = agent_state.shared;
	struct agent_ring *ring = &shared->rings[number];

	if (AGENT_UNLIKELY(!has_room(ring, agent_load(&ring->taken_seen))) &&
	    !wait_for_room(ring))
		return NULL;
	*index = agent_add(&ring->claimed, 1);
	return &shared->records[number][*index % AGENT_RING_RECORDS];
}

void agent_put(const struct agent_thread *thread, const struct agent_function *function,
	       enum agent_kind kind, taddr_t address, uint64_t size, uint32_t node)
{
	struct agent_record *record = NULL;
	uint64_t index;

	if (AGENT_LIKELY(address <= AGENT_ADDRESS_MASK))
		record = claim(agent_state.callers ? 0 : agent_ring_of(address), &index);
	if (AGENT_UNLIKELY(!record)) {
		agent_drop();
		return;
	}
	size = size < SIZE_MAX_RECORDED ? size : SIZE_MAX_RECORDED;
	record->kind_size = (uint64_t)function->index << 52 | (uint64_t)kind << 48 | size;
	record->thread_stack = agent_thread_number(thread) << 32 | node;
	record->time_ns = __atomic_load_n(&agent_state.shared->now_ns, __ATOMIC_RELAXED);
	agent_store(&record->lap_address, agent_lap(index) << AGENT_ADDRESS_BITS | address);
}
