/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rings that the tracer reads, what the agent would write into them, and the heap behind. */
#ifndef MEMTRACE_TESTS_RINGS_FIXTURE_H
#define MEMTRACE_TESTS_RINGS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../tracer/base/clock.h"
#include "../../tracer/base/hash.h"
#include "../../tracer/heap/heap.h"
#include "../../tracer/probe/rings.h"

#define DEPTH 4
#define SECOND 1000000000ull
#define NONE AGENT_ROOT

static struct agent_shared *shared;
static struct rings rings;
static struct heap heap;		/* what came through the rings */
static unsigned nr_prefetched;

static void take_event(void *consumer, const struct event *event)
{
	heap_event(consumer ? consumer : &heap, event);
}

static void prefetch(void *consumer, taddr_t address)
{
	nr_prefetched++;
	heap_prefetch(&heap, address);
}

static int setup(void **state)
{
	const struct rings_options options = {
		.depth = DEPTH, .epoch_ns = clock_ns() - 10 * SECOND,
		.event = take_event, .prefetch = prefetch,
	};
	int fd = memfd_create("test_rings", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, sizeof(*shared)))
		return -1;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	nr_prefetched = 0;
	return shared == MAP_FAILED || heap_init(&heap) ||
	       rings_init(&rings, shared, &options) ? -1 : 0;
}

static int teardown(void **state)
{
	rings_deinit(&rings);
	heap_deinit(&heap);
	munmap(shared, sizeof(*shared));
	return 0;
}

/* The agent's side: claim, write, commit. */

static inline uint64_t claim(unsigned ring)
{
	return __atomic_fetch_add(&shared->rings[ring].claimed, 1, __ATOMIC_RELAXED);
}

static inline void commit(unsigned ring, uint64_t index, const struct agent_record *record)
{
	struct agent_record *place = &shared->records[ring][index % AGENT_RING_RECORDS];

	__atomic_store_n(&place->kind_size, record->kind_size, __ATOMIC_RELAXED);
	__atomic_store_n(&place->thread_stack, record->thread_stack, __ATOMIC_RELAXED);
	__atomic_store_n(&place->time_ns, record->time_ns, __ATOMIC_RELAXED);
	__atomic_store_n(&place->lap_address,
			 agent_lap(index) << AGENT_ADDRESS_BITS | record->lap_address,
			 __ATOMIC_RELEASE);
}

static struct agent_record record_of(enum agent_kind kind, taddr_t address, uint64_t size,
				     uint32_t thread, uint32_t node, uint32_t function)
{
	return (struct agent_record){
		.lap_address = address,
		.kind_size = (uint64_t)function << 52 | (uint64_t)kind << 48 | size,
		.thread_stack = (uint64_t)thread << 32 | node,
		.time_ns = __atomic_load_n(&shared->now_ns, __ATOMIC_RELAXED),
	};
}

static void wait_for_room(const struct agent_ring *ring)
{
	while (__atomic_load_n(&ring->claimed, __ATOMIC_RELAXED) -
	       __atomic_load_n(&ring->taken, __ATOMIC_ACQUIRE) >
	       AGENT_RING_RECORDS - AGENT_RING_MARGIN)
		usleep(100);
}

static void produce(enum agent_kind kind, taddr_t address, uint64_t size, uint32_t thread,
		    uint32_t node, uint32_t function)
{
	struct agent_record record = record_of(kind, address, size, thread, node, function);
	unsigned ring = agent_ring_of(address);

	wait_for_room(&shared->rings[ring]);
	commit(ring, claim(ring), &record);
}

static inline void alloc(taddr_t address, uint64_t size)
{
	produce(AGENT_ALLOC, address, size, 0, NONE, 0);
}

static inline void release(taddr_t address)
{
	produce(AGENT_FREE, address, 0, 0, NONE, 0);
}

static void set_node(uint32_t node, taddr_t pc, uint32_t parent)
{
	shared->nodes[node] = (struct agent_node){ .frame = code_make(1, pc), .parent = parent };
}

static inline void drain(void)
{
	while (rings_drain(&rings))
		;
}

/* As if so much time had passed. */
static inline void pass(uint64_t ns)
{
	rings.options.epoch_ns -= ns;
}

static inline struct stack_view stack_of(uint32_t site)
{
	return stacks_get(heap.stacks, sites_get(heap.sites, site)->stack);
}

static inline uint64_t next_random(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return hash_u64(*seed);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
