/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rings that are full, and threads that write to them at the same time. */
#include <pthread.h>
#include <sched.h>

#include "agent_calls.h"

static void a_full_ring(void **state)
{
	struct agent_shared *shared = agent_state.shared;
	struct agent_ring *ring = &shared->rings[RING];
	uint64_t room = AGENT_RING_RECORDS - AGENT_RING_MARGIN, start, waited;

	shared->waited_cycles = 0;
	for (uint64_t i = 0; i < room; i++)
		stubs[FREE](DEAD_BLOCK, 0, 0, 0);
	assert_int_equal(ring->claimed - ring->taken, room);
	assert_int_equal(shared->dropped, 0);
	assert_int_equal(shared->waited_cycles, 0);
	start = __builtin_ia32_rdtsc();
	stubs[FREE](DEAD_BLOCK, 0, 0, 0);
	assert_true(__builtin_ia32_rdtsc() - start >= agent_state.wait_cycles);
	waited = shared->waited_cycles;
	assert_true(waited && waited <= __builtin_ia32_rdtsc() - start);
	assert_int_equal(shared->dropped, 1);
	assert_int_equal(shared->stalled_ns, shared->now_ns);
	start = __builtin_ia32_rdtsc();
	for (int i = 0; i < 100; i++)
		stubs[FREE](DEAD_BLOCK, 0, 0, 0);
	assert_true(__builtin_ia32_rdtsc() - start < agent_state.wait_cycles * 50);
	assert_int_equal(shared->dropped, 101);
	assert_int_equal(shared->waited_cycles, waited);
	/* Other rings have room, but whoever waited in vain spares all. */
	shared->now_ns++;
	stubs[FREE](DEAD_BLOCK + (1 << 26), 0, 0, 0);
	assert_int_equal(shared->dropped, 101);
	ring->taken += 10;
	for (int i = 0; i < 11; i++)
		stubs[FREE](DEAD_BLOCK, 0, 0, 0);
	assert_int_equal(shared->dropped, 102);
	assert_int_equal(ring->claimed - ring->taken, room);
	shared->now_ns++;
	ring->taken = ring->claimed;
}

static void many_laps(void **state)
{
	struct agent_ring *ring = &agent_state.shared->rings[RING];

	/* What lies there is of the lap before, as it would be: not of a lap of the same number. */
	memset(agent_state.shared->records[RING], 0, sizeof(agent_state.shared->records[RING]));
	ring->claimed = ring->taken = ring->taken_seen = 0xfffeull * AGENT_RING_RECORDS - 5;
	for (uint64_t i = 0; i < 10; i++)
		stubs[FREE](DEAD_BLOCK, 0, 0, 0);
	assert_string_equal(kinds_seen(), "FFFFFFFFFF");
}

static void *free_room(void *unused)
{
	struct agent_ring *ring = &agent_state.shared->rings[RING];

	usleep(300);
	__atomic_store_n(&ring->taken, ring->claimed, __ATOMIC_RELEASE);
	return NULL;
}

static void room_is_waited_for(void **state)
{
	struct agent_ring *ring = &agent_state.shared->rings[RING];
	uint64_t wait = agent_state.wait_cycles;
	pthread_t thread;

	agent_state.wait_cycles = 30000000000;
	ring->claimed += AGENT_RING_RECORDS - AGENT_RING_MARGIN;
	pthread_create(&thread, NULL, free_room, NULL);
	stubs[FREE](DEAD_BLOCK, 0, 0, 0);
	pthread_join(thread, NULL);
	agent_state.wait_cycles = wait;
	assert_int_equal(agent_state.shared->dropped, 0);
}

#define HAMMERS 6
#define ROUNDS 60000
#define BLOCKS 64

static volatile bool is_over;
static uint64_t consumed, out_of_order;
static uint8_t is_allocated[HAMMERS * BLOCKS];

static fixture_function *hammer_malloc;

/* Blocks are handed round between the threads, each by its owner of the moment. */
static uint8_t owned[HAMMERS * BLOCKS];

static void *hammer(void *unused)
{
	uint64_t random = (uintptr_t)&random * 2654435761u | 1;

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t at, address;

		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		at = (random >> 20) % (HAMMERS * BLOCKS);
		address = 0x7f0000000000 + at * (1 << 22) + 16;
		if (__atomic_exchange_n(&owned[at], 1, __ATOMIC_ACQUIRE))
			continue;
		hammer_malloc(at, address, 0, 0);
		stubs[FREE](address, 0, 0, 0);
		__atomic_store_n(&owned[at], 0, __ATOMIC_RELEASE);
	}
	return NULL;
}

static void take_one(const struct agent_record *record)
{
	uint64_t at = ((record->lap_address & AGENT_ADDRESS_MASK) - 0x7f0000000000) >> 22;
	bool is_alloc = (record->kind_size >> 48 & 15) == AGENT_ALLOC;

	if (at >= HAMMERS * BLOCKS || is_allocated[at] == is_alloc) {
		out_of_order++;
		return;
	}
	is_allocated[at] = is_alloc;
	consumed++;
}

static void consume_ring(unsigned number)
{
	struct agent_ring *ring = &agent_state.shared->rings[number];
	uint64_t next = ring->taken, end = __atomic_load_n(&ring->claimed, __ATOMIC_ACQUIRE);

	/* No further, so that the clock moves, and the other rings are served. */
	while (next < end) {
		const struct agent_record *record =
			&agent_state.shared->records[number][next % AGENT_RING_RECORDS];

		while (__atomic_load_n(&record->lap_address, __ATOMIC_ACQUIRE) >> 48 !=
		       agent_lap(next))
			sched_yield();
		take_one(record);
		__atomic_store_n(&ring->taken, ++next, __ATOMIC_RELEASE);
	}
}

static void *consume(void *unused)
{
	bool is_last;

	do {
		is_last = is_over;
		for (unsigned i = 0; i < AGENT_RINGS; i++)
			consume_ring(i);
		__atomic_fetch_add(&agent_state.shared->now_ns, 1, __ATOMIC_RELAXED);
		sched_yield();
	} while (!is_last);
	return NULL;
}

static void threads_and_a_consumer(void **state)
{
	pthread_t threads[HAMMERS], consumer;
	uint64_t claimed = 0, wait = agent_state.wait_cycles;

	agent_state.wait_cycles = 30000000000;
	agent_state.shared->now_ns = 1ull << 40; /* ahead of earlier tests, which stalled */
	hammer_malloc = fixture_stub(&kinds[MALLOC], MALLOC, real_identity);
	for (unsigned i = 0; i < AGENT_RINGS; i++)
		claimed -= agent_state.shared->rings[i].claimed;
	is_over = false;
	pthread_create(&consumer, NULL, consume, NULL);
	for (int i = 0; i < HAMMERS; i++)
		pthread_create(&threads[i], NULL, hammer, NULL);
	for (int i = 0; i < HAMMERS; i++)
		pthread_join(threads[i], NULL);
	is_over = true;
	pthread_join(consumer, NULL);
	for (unsigned i = 0; i < AGENT_RINGS; i++)
		claimed += agent_state.shared->rings[i].claimed;
	agent_state.wait_cycles = wait;
	assert_int_equal(out_of_order, 0);
	assert_int_equal(consumed, claimed);
	assert_true(consumed > HAMMERS * ROUNDS);
	assert_int_equal(agent_state.shared->dropped, 0);
	for (int i = 0; i < HAMMERS * BLOCKS; i++)
		assert_false(is_allocated[i]);
}

static void no_place_for_a_thread(void **state)
{
	for (unsigned i = 0; i < AGENT_THREADS; i++)
		agent_state.threads[i].key = 1;
	stubs[MALLOC](3, 0, 0, 0);
	inside = call_many;
	stubs[OTHER](4, 0, 0, 0);
	inside = call_many;
	stubs[REALLOC](DEAD_BLOCK, 4, 0, 0);
	stubs[FREE](DEAD_BLOCK, 0, 0, 0);
	assert_string_equal(kinds_seen(), "AABDAF");
	for (uint32_t i = 0; i < nr_seen; i++)
		assert_int_equal(seen[i].thread, AGENT_THREADS);
	assert_int_equal(seen[0].node, AGENT_ROOT_CUT);
}

static void free_the_place(void)
{
	own_thread()->key = 0;
}

static void a_place_freed_within_a_call(void **state)
{
	inside = free_the_place;
	stubs[REALLOC](DEAD_BLOCK, 4, 0, 0);
	assert_string_equal(kinds_seen(), "BDA");
	assert_int_equal(own_thread()->nr_calls, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_full_ring),
		TEST(many_laps),
		TEST(room_is_waited_for),
		TEST(threads_and_a_consumer),
		TEST(no_place_for_a_thread),
		TEST(a_place_freed_within_a_call),
	};

	return cmocka_run_group_tests(tests, calls_start, calls_stop);
}
