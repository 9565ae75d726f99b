/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What no agent writes: whatever a target puts over all of it must do no harm. */
#include "rings_fixture.h"

static void nonsense_is_refused(void **state)
{
	alloc(0, 10);
	release(0);
	produce(AGENT_RESIZE_DONE, 0, 0, 0, NONE, 0);
	produce(AGENT_NOTHING, 0x10, 0, 0, NONE, 0);
	produce((enum agent_kind)15, 0x10, 0, 0, NONE, 0);
	drain();
	assert_int_equal(rings.stats.refused, 5);
	assert_int_equal(rings.stats.taken, 5);
	assert_int_equal(heap.totals.events, 0);
}

static void parents_in_a_circle(void **state)
{
	set_node(2, 0x100, 3);
	set_node(3, 0x200, 2);
	set_node(4, 0x300, 4);
	set_node(5, 0x400, UINT32_MAX);
	set_node(6, 0x500, AGENT_NODES);
	for (uint32_t i = 2; i < 7; i++)
		produce(AGENT_ALLOC, i * 16, 1, UINT32_MAX, i, 4095);
	produce(AGENT_ALLOC, 0x100, 1, 0, UINT32_MAX, 0);
	produce(AGENT_ALLOC, 0x200, 1, 0, AGENT_NODES, 0);
	drain();
	assert_int_equal(heap.totals.allocs, 7);
	assert_int_equal(heap.totals.truncated_stacks, 7);
	assert_int_equal(stack_of(2).nr_frames, DEPTH);
	assert_int_equal(stack_of(3).nr_frames, 1);
}

static void indexes_jump(void **state)
{
	alloc(0x10, 10);
	shared->rings[0].claimed = UINT64_MAX / 2;
	shared->rings[1].claimed = UINT64_MAX;
	shared->rings[2].claimed = 1000 + AGENT_RING_RECORDS;
	assert_int_equal(rings_drain(&rings), 1);
	shared->rings[0].claimed = 0;
	rings_drain(&rings);
	assert_true(rings.stats.broken);
	rings_finish(&rings);
	assert_int_equal(heap.totals.live_bytes, 10);
	assert_true(rings.stats.lost <= AGENT_RINGS * AGENT_RING_RECORDS);
}

/* A target that changes its nodes all the time can make only so many stacks. */
static void stacks_are_bounded(void **state)
{
	for (uint32_t i = 0; i < 20 * 4096; i++) {
		set_node(2, i, AGENT_ROOT);
		produce(AGENT_ALLOC, 0x10, 1, 0, 2, i % 4096);
		drain();
	}
	assert_int_equal(rings.stats.taken, 20 * 4096);
	assert_true(stacks_count(heap.stacks) <= 4096 + 1);
}

static void scribble(uint64_t seed)
{
	uint64_t *words = (uint64_t *)shared;

	for (size_t i = 0; i < sizeof(*shared) / sizeof(*words); i++)
		words[i] = next_random(&seed);
}

/* Laps that look right, so that what is in the records counts. */
static void scribble_records(uint64_t seed)
{
	for (unsigned ring = 0; ring < AGENT_RINGS; ring++) {
		uint64_t next = rings.rings[ring].next;

		shared->rings[ring].claimed = next + AGENT_RING_RECORDS;
		for (uint64_t i = next; i < next + AGENT_RING_RECORDS; i++) {
			uint64_t address = next_random(&seed) & 0xffff;
			struct agent_record *place =
				&shared->records[ring][i % AGENT_RING_RECORDS];

			if (address >> 12)
				place->lap_address = agent_lap(i) << AGENT_ADDRESS_BITS | address;
		}
	}
}

static void any_bytes(void **state)
{
	for (uint64_t seed = 1; seed <= 2; seed++) {
		scribble(seed);
		drain();
		pass(2 * SECOND);
		drain();
		scribble_records(seed);
		drain();
		rings_finish(&rings);
	}
	assert_true(rings.stats.taken > AGENT_RING_RECORDS);
	heap_settle(&heap);
	assert_int_equal(heap.totals.live_blocks, heap.ledger.nr_live);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(nonsense_is_refused), CASE(parents_in_a_circle), CASE(indexes_jump),
		CASE(stacks_are_bounded), CASE(any_bytes),
	};

	return cmocka_run_group_tests_name("rings_garbage", tests, NULL, NULL);
}
