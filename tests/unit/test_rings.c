/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records in, heap out: the same events as the break engine's must give the same books, whatever
 * the order of threads; and whatever a target writes over all of it must do no harm.
 */
#include <pthread.h>
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
#include "../../tracer/probe/consumer.h"

#define DEPTH 4
#define NR_THREADS 4
#define NR_CALLS 150000u
#define SECOND 1000000000ull
#define NONE AGENT_ROOT

static struct agent_shared *shared;
static struct rings rings;
static struct heap heap;		/* what came through the rings */
static struct heap direct;		/* what the break engine would have told */
static unsigned nr_prefetched, nr_notices;

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
	nr_prefetched = nr_notices = 0;
	return shared == MAP_FAILED || heap_init(&heap) || heap_init(&direct) ||
	       rings_init(&rings, shared, &options) ? -1 : 0;
}

static int teardown(void **state)
{
	rings_deinit(&rings);
	heap_deinit(&heap);
	heap_deinit(&direct);
	munmap(shared, sizeof(*shared));
	return 0;
}

/* The agent's side: claim, write, commit. */

static uint64_t claim(unsigned ring)
{
	return __atomic_fetch_add(&shared->rings[ring].claimed, 1, __ATOMIC_RELAXED);
}

static void commit(unsigned ring, uint64_t index, const struct agent_record *record)
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

static void alloc(taddr_t address, uint64_t size)
{
	produce(AGENT_ALLOC, address, size, 0, NONE, 0);
}

static void release(taddr_t address)
{
	produce(AGENT_FREE, address, 0, 0, NONE, 0);
}

static void set_node(uint32_t node, taddr_t pc, uint32_t parent)
{
	shared->nodes[node] = (struct agent_node){ .frame = code_make(1, pc), .parent = parent };
}

static void drain(void)
{
	while (rings_drain(&rings))
		;
}

/* Site by site: the same stacks with the same counts. */

static uint64_t hash_of(const struct heap *of, const struct site *site)
{
	struct stack_view stack = stacks_get(of->stacks, site->stack);
	uint64_t hash = hash_combine(site->function, stack.truncated);

	for (uint32_t i = 0; i < stack.nr_frames; i++)
		hash = hash_combine(hash, stack.frames[i]);
	return hash;
}

static const struct site *site_like(const struct heap *of, uint64_t hash)
{
	for (uint32_t i = 0; i < sites_count(of->sites); i++)
		if (hash_of(of, sites_get(of->sites, i)) == hash)
			return sites_get(of->sites, i);
	return NULL;
}

static void assert_same_sites(void)
{
	assert_int_equal(sites_count(heap.sites), sites_count(direct.sites));
	for (uint32_t i = 0; i < sites_count(heap.sites); i++) {
		const struct site *site = sites_get(heap.sites, i);
		const struct site *other = site_like(&direct, hash_of(&heap, site));

		assert_non_null(other);
		assert_int_equal(site->allocs, other->allocs);
		assert_int_equal(site->frees, other->frees);
		assert_int_equal(site->live_blocks, other->live_blocks);
		assert_int_equal(site->live_bytes, other->live_bytes);
	}
}

/* The peak and the number of events may differ: a realloc is told in three records. */
static void assert_same_totals(void)
{
	const struct heap_totals *a = &heap.totals, *b = &direct.totals;

	assert_int_equal(a->allocs, b->allocs);
	assert_int_equal(a->frees, b->frees);
	assert_int_equal(a->bytes_allocated, b->bytes_allocated);
	assert_int_equal(a->live_blocks, b->live_blocks);
	assert_int_equal(a->live_bytes, b->live_bytes);
	assert_int_equal(a->unknown_frees, b->unknown_frees);
	assert_int_equal(a->failed_allocs, b->failed_allocs);
	assert_int_equal(a->replaced_blocks, b->replaced_blocks);
	assert_int_equal(a->truncated_stacks, b->truncated_stacks);
	assert_int_equal(a->lost_events, b->lost_events);
	assert_int_equal(heap.held.nr, direct.held.nr);
}

static void nothing_is_there(void **state)
{
	assert_int_equal(rings_drain(&rings), 0);
	assert_true(rings_catch_up(&rings));
	rings_finish(&rings);
	assert_int_equal(rings.stats.lost, 0);
	assert_int_equal(heap.totals.events, 0);
	assert_true(shared->now_ns >= 10 * SECOND);
}

static void the_three(void **state)
{
	alloc(0x10, 10);
	alloc(0x20, 20);
	alloc(0x30, 30);
	release(0x10);
	release(0x30);
	assert_int_equal(rings_drain(&rings), 5);
	assert_int_equal(shared->rings[0].taken, 5);
	assert_int_equal(heap.totals.allocs, 3);
	assert_int_equal(heap.totals.live_bytes, 20);
	assert_int_equal(heap.totals.peak_bytes, 60);
	assert_int_equal(nr_prefetched, 5);
}

/* What a realloc tells before the block that it returns. */
static void resize(taddr_t address, uint32_t thread, enum agent_kind outcome)
{
	produce(AGENT_RESIZE_BEGIN, address, 0, thread, NONE, 0);
	produce(outcome, address, 0, thread, NONE, 0);
}

static void realloc_is_an_alloc_and_a_free(void **state)
{
	alloc(0x10, 10);
	resize(0x10, 3, AGENT_RESIZE_DONE);
	produce(AGENT_ALLOC, 0x20, 25, 3, NONE, 0);
	resize(0x30, 3, AGENT_RESIZE_DONE);
	produce(AGENT_ALLOC, 0x40, 5, 3, NONE, 0);
	drain();
	assert_int_equal(heap.totals.allocs, 3);
	assert_int_equal(heap.totals.frees, 1);
	assert_int_equal(heap.totals.unknown_frees, 1);
	assert_int_equal(heap.totals.live_bytes, 30);
	assert_int_equal(heap.held.nr, 0);
}

static void realloc_fails(void **state)
{
	alloc(0x10, 10);
	resize(0x10, 3, AGENT_RESIZE_FAILED);
	produce(AGENT_FAILED, 0, 1 << 20, 3, NONE, 0);
	drain();
	assert_int_equal(heap.totals.live_bytes, 10);
	assert_int_equal(heap.totals.failed_allocs, 2);
	assert_int_equal(heap.totals.frees, 0);
}

/* Two threads resize what was at the same address, one after the other. */
static void realloc_in_two_threads(void **state)
{
	alloc(0x10, 10);
	produce(AGENT_RESIZE_BEGIN, 0x10, 0, 1, NONE, 0);
	produce(AGENT_ALLOC, 0x10, 7, 2, NONE, 0);
	resize(0x10, 2, AGENT_RESIZE_FAILED);
	produce(AGENT_RESIZE_DONE, 0x10, 0, 1, NONE, 0);
	drain();
	assert_int_equal(heap.totals.live_bytes, 7);
	assert_int_equal(heap.totals.frees, 1);
}

static struct stack_view stack_of(uint32_t site)
{
	return stacks_get(heap.stacks, sites_get(heap.sites, site)->stack);
}

static void stacks_are_paths(void **state)
{
	set_node(2, 0x100, AGENT_ROOT);
	set_node(3, 0x200, 2);
	set_node(4, 0x300, 3);
	produce(AGENT_ALLOC, 0x10, 1, 0, 4, 7);
	produce(AGENT_ALLOC, 0x20, 1, 0, 3, 7);
	produce(AGENT_ALLOC, 0x30, 1, 0, 4, 7);
	produce(AGENT_ALLOC, 0x40, 1, 0, 4, 8);
	produce(AGENT_ALLOC, 0x50, 1, 0, 4, 8);
	produce(AGENT_ALLOC, 0x60, 1, 0, NONE, 7);
	drain();
	assert_int_equal(sites_count(heap.sites), 4);
	assert_int_equal(stack_of(0).nr_frames, 3);
	assert_int_equal(stack_of(0).frames[0], code_make(1, 0x300));
	assert_int_equal(stack_of(0).frames[2], code_make(1, 0x100));
	assert_false(stack_of(0).truncated);
	assert_int_equal(sites_get(heap.sites, 0)->allocs, 2);
	assert_int_equal(sites_get(heap.sites, 0)->function, 7);
	assert_int_equal(sites_get(heap.sites, 2)->allocs, 2);
	assert_int_equal(sites_get(heap.sites, 2)->function, 8);
	assert_int_equal(stack_of(3).nr_frames, 0);
}

/* Nodes 2 to 6: as deep as is kept, and one more; 7 to 9: cut by the agent. */
static void long_stacks_are_cut(void **state)
{
	for (uint32_t i = 2; i < 7; i++)
		set_node(i, i * 0x100, i == 2 ? AGENT_ROOT : i - 1);
	for (uint32_t i = 7; i < 10; i++)
		set_node(i, i * 0x100, i == 7 ? AGENT_ROOT_CUT : i - 1);
	produce(AGENT_ALLOC, 0x10, 1, 0, 5, 0);
	produce(AGENT_ALLOC, 0x20, 1, 0, 6, 0);
	produce(AGENT_ALLOC, 0x30, 1, 0, 9, 0);
	produce(AGENT_ALLOC, 0x40, 1, 0, AGENT_ROOT_CUT, 0);
	for (int i = 0; i < 3; i++)
		produce(AGENT_ALLOC, 0x50, 1, 0, 6, 0);
	drain();
	assert_false(stack_of(0).truncated);
	assert_int_equal(stack_of(0).nr_frames, DEPTH);
	assert_true(stack_of(1).truncated);
	assert_int_equal(stack_of(1).nr_frames, DEPTH);
	assert_int_equal(stack_of(1).frames[0], code_make(1, 0x600));
	assert_true(stack_of(2).truncated);
	assert_int_equal(stack_of(2).nr_frames, 3);
	assert_true(stack_of(3).truncated);
	assert_int_equal(heap.totals.truncated_stacks, 6);
}

static void a_full_ring_is_shared_out(void **state)
{
	for (taddr_t i = 1; i <= 3 * RINGS_SHARE; i++)
		alloc(i * 16, 1);
	alloc(1 << 26, 1);
	assert_int_equal(rings_drain(&rings), RINGS_SHARE + 1);
	assert_int_equal(rings_drain(&rings), RINGS_SHARE);
	assert_true(rings_catch_up(&rings));
	assert_int_equal(heap.totals.live_blocks, 3 * RINGS_SHARE + 1);
}

/* The places of several laps, with a block that stays over all of them. */
static void laps(void **state)
{
	uint64_t nr = 3ull * AGENT_RING_RECORDS / 2 + 1000;

	alloc(0x10, 7);
	for (uint64_t i = 0; i < nr; i++) {
		alloc(0x20 + i % 10 * 16, 5);
		release(0x20 + i % 10 * 16);
		if (i % 1000 == 0)
			drain();
	}
	drain();
	assert_int_equal(heap.totals.allocs, nr + 1);
	assert_int_equal(heap.totals.live_bytes, 7);
	assert_int_equal(heap.totals.unknown_frees + heap.totals.replaced_blocks, 0);
	assert_int_equal(shared->rings[0].taken, 2 * nr + 1);
}

/* Laps are counted in 16 bits. */
static void laps_start_again(void **state)
{
	uint64_t last = 0xffffull * AGENT_RING_RECORDS - 3;

	shared->rings[0].claimed = shared->rings[0].taken = rings.rings[0].next = last;
	for (taddr_t i = 1; i <= 6; i++)
		alloc(i * 16, 1);
	drain();
	assert_int_equal(heap.totals.live_blocks, 6);
	assert_int_equal(rings.rings[0].next, last + 6);
}

static void a_claim_is_waited_for(void **state)
{
	struct agent_record record = record_of(AGENT_ALLOC, 0x30, 30, 0, NONE, 0);
	uint64_t index;

	alloc(0x10, 10);
	index = claim(0);
	alloc(0x20, 20);
	assert_int_equal(rings_drain(&rings), 1);
	assert_false(rings_catch_up(&rings));
	assert_int_equal(heap.totals.live_bytes, 10);
	commit(0, index, &record);
	assert_true(rings_catch_up(&rings));
	assert_int_equal(heap.totals.live_bytes, 60);
	assert_int_equal(rings.stats.lost, 0);
}

/* As if so much time had passed. */
static void pass(uint64_t ns)
{
	rings.options.epoch_ns -= ns;
}

static void holes_are_given_up(void **state)
{
	struct agent_record record = record_of(AGENT_ALLOC, 0x40, 40, 0, NONE, 0);
	uint64_t index;

	claim(0);
	claim(0);
	alloc(0x10, 10);
	assert_int_equal(rings_drain(&rings), 0);
	pass(SECOND / 2);
	assert_int_equal(rings_drain(&rings), 0);
	index = claim(0);
	alloc(0x20, 20);
	pass(SECOND / 2);
	rings_drain(&rings);
	drain();
	assert_int_equal(rings.stats.lost, 2);
	assert_int_equal(heap.totals.live_bytes, 10); /* what was claimed later may yet come */
	commit(0, index, &record);
	drain();
	assert_int_equal(heap.totals.live_bytes, 70);
	assert_int_equal(rings.stats.lost, 2);
}

static void a_hole_with_nothing_behind_is_not(void **state)
{
	claim(0);
	claim(0);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(rings_drain(&rings), 0);
		pass(2 * SECOND);
	}
	assert_int_equal(rings.stats.lost, 0);
}

/* A late commit of a hole that was given up: it must not pass for a record of another lap. */
static void a_late_commit_is_ignored(void **state)
{
	struct agent_record record = record_of(AGENT_ALLOC, 0x40, 40, 0, NONE, 0);
	uint64_t index = claim(0);

	alloc(0x10, 10);
	rings_finish(&rings);
	commit(0, index, &record);
	drain();
	assert_int_equal(heap.totals.live_bytes, 10);
	assert_int_equal(rings.stats.lost, 1);
}

static void finish_takes_all(void **state)
{
	for (taddr_t i = 1; i <= 5000; i++) {
		taddr_t address = i << 22;

		alloc(address, 1);
		if (i % 100 == 0)
			claim(agent_ring_of(address));
	}
	rings_finish(&rings);
	assert_int_equal(heap.totals.live_blocks, 5000);
	assert_int_equal(rings.stats.lost, 50);
	assert_int_equal(rings.stats.taken, 5000);
}

static void times_are_never_ahead(void **state)
{
	struct agent_record record = record_of(AGENT_ALLOC, 0x10, 10, 0, NONE, 0);

	record.time_ns = UINT64_MAX;
	commit(0, claim(0), &record);
	drain();
	assert_true(sites_get(heap.sites, 0)->first_ns <= rings.now_ns);
}

/* What no agent writes. */

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

static uint64_t next_random(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return hash_u64(*seed);
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

/*
 * Threads at work.  Each has blocks of its own and some that wander: what one thread allocates,
 * another may free.  A lock around what both sides are told, as the allocator would have.
 */
#define OWN_BLOCKS 200
#define NR_STACKS 50

struct worker {
	pthread_t thread;
	uint32_t number;
	uint64_t seed;
};

static pthread_mutex_t direct_lock = PTHREAD_MUTEX_INITIALIZER;

static void tell(enum event_kind kind, uint32_t thread, taddr_t old_address, taddr_t address,
		 uint64_t size, uint32_t node)
{
	code_t stack[DEPTH];
	uint32_t nr = 0, at;

	for (at = node; nr < DEPTH && at >= AGENT_FIRST_NODE; at = shared->nodes[at].parent)
		stack[nr++] = shared->nodes[at].frame;
	heap_event(&direct, &(struct event){
		.kind = kind, .tid = (pid_t)thread, .old_address = old_address,
		.address = address, .size = size, .stack = stack, .nr_frames = nr,
		.truncated = at != AGENT_ROOT, .function = node % 3,
	});
}

/* Both ways, in one order. */
static void both_alloc(uint32_t thread, taddr_t address, uint64_t size, uint32_t node)
{
	pthread_mutex_lock(&direct_lock);
	tell(EVENT_ALLOC, thread, 0, address, size, node);
	produce(AGENT_ALLOC, address, size, thread, node, node % 3);
	pthread_mutex_unlock(&direct_lock);
}

static void both_free(uint32_t thread, taddr_t address)
{
	pthread_mutex_lock(&direct_lock);
	produce(AGENT_FREE, address, 0, thread, NONE, 0);
	tell(EVENT_FREE, thread, 0, address, 0, NONE);
	pthread_mutex_unlock(&direct_lock);
}

static void both_resize(uint32_t thread, taddr_t old_address, taddr_t address, uint64_t size,
			uint32_t node)
{
	pthread_mutex_lock(&direct_lock);
	produce(AGENT_RESIZE_BEGIN, old_address, 0, thread, NONE, node % 3);
	produce(AGENT_RESIZE_DONE, old_address, 0, thread, NONE, node % 3);
	produce(AGENT_ALLOC, address, size, thread, node, node % 3);
	tell(EVENT_RESIZE_BEGIN, thread, old_address, 0, 0, node);
	tell(EVENT_RESIZE_END, thread, old_address, address, size, node);
	pthread_mutex_unlock(&direct_lock);
}

static void one_call(struct worker *worker)
{
	uint64_t random = next_random(&worker->seed);
	uint32_t owner = random % 8 ? worker->number : (uint32_t)(random >> 8) % NR_THREADS;
	taddr_t arena = 0x7f0000000000 + owner * 0x4000000ull;
	taddr_t address = arena + 16 + (random >> 16) % OWN_BLOCKS * 16;
	taddr_t other = 0x7f0000000000 + 16 + (random >> 24) % OWN_BLOCKS * 16;
	uint32_t node = AGENT_FIRST_NODE + (uint32_t)(random >> 32) % NR_STACKS;

	switch (random >> 40 & 7) {
	case 0:
		both_resize(worker->number, address, other, random >> 50, node);
		break;
	case 1 ... 4:
		both_alloc(worker->number, address, random >> 50, node);
		break;
	default:
		both_free(worker->number, address);
	}
}

static void *work(void *argument)
{
	struct worker *worker = argument;

	for (uint32_t i = 0; i < NR_CALLS; i++)
		one_call(worker);
	return NULL;
}

static void make_nodes(void)
{
	for (uint32_t i = 0; i < NR_STACKS; i++)
		set_node(AGENT_FIRST_NODE + i, 0x1000 + i,
			 i < 5 ? i % 2 : AGENT_FIRST_NODE + i / 3);
}

static void notice(void *owner)
{
	__atomic_fetch_add(&nr_notices, 1, __ATOMIC_RELAXED);
}

static void run_workers(unsigned nr)
{
	struct worker workers[NR_THREADS];

	for (unsigned i = 0; i < nr; i++) {
		workers[i] = (struct worker){ .number = i, .seed = i + 1 };
		pthread_create(&workers[i].thread, NULL, work, &workers[i]);
	}
	for (unsigned i = 0; i < nr; i++)
		pthread_join(workers[i].thread, NULL);
}

static void threads_and_a_consumer(void **state)
{
	struct consumer *consumer;

	make_nodes();
	assert_int_equal(consumer_start(&rings, notice, NULL, &consumer), 0);
	run_workers(NR_THREADS);
	consumer_stop(consumer);
	rings_finish(&rings);
	assert_int_equal(rings.stats.lost + rings.stats.refused, 0);
	assert_false(rings.stats.broken);
	assert_true(heap.totals.allocs > NR_THREADS * NR_CALLS / 3);
	assert_same_totals();
	assert_same_sites();
}

/* Two lanes with a consumer and a heap each count what one would have. */
static void two_lanes_and_two_consumers(void **state)
{
	struct rings lanes[2];
	struct heap others;
	struct consumer *consumers[2];

	assert_int_equal(heap_init(&others), 0);
	make_nodes();
	for (unsigned i = 0; i < 2; i++) {
		struct rings_options options = rings.options;

		options.consumer = i ? &others : &heap;
		options.lane = i;
		options.nr_lanes = 2;
		assert_int_equal(rings_init(&lanes[i], shared, &options), 0);
		assert_int_equal(consumer_start(&lanes[i], NULL, NULL, &consumers[i]), 0);
	}
	run_workers(4);
	for (unsigned i = 0; i < 2; i++) {
		consumer_stop(consumers[i]);
		rings_finish(&lanes[i]);
		assert_int_equal(lanes[i].stats.lost + lanes[i].stats.refused, 0);
		assert_true(lanes[i].stats.taken > 1000);
		rings_deinit(&lanes[i]);
	}
	assert_true(others.totals.allocs && heap.totals.allocs);
	heap_merge(&heap, &others);
	heap_deinit(&others);
	assert_same_totals();
	assert_same_sites();
}

/* What another engine has seen goes to the lane of its address. */
static void insertions_have_a_lane(void **state)
{
	const struct event one = { .kind = EVENT_ALLOC, .address = 0x10 };
	unsigned nr = 0;

	for (unsigned lane = 0; lane < 4; lane++) {
		rings.options.lane = lane;
		rings.options.nr_lanes = 4;
		nr += rings_takes(&rings, &one);
		assert_true(rings_takes(&rings, &one) == (agent_ring_of(0x10) % 4 == lane));
	}
	assert_int_equal(nr, 1);
}

static struct event last;
static code_t last_frames[64];

static void keep_event(void *consumer, const struct event *event)
{
	last = *event;
	assert_in_range(event->nr_frames, 0, 64);
	if (event->nr_frames)
		memcpy(last_frames, event->stack, event->nr_frames * sizeof(*last_frames));
}

static pid_t tid_of_thread(void *owner, uint32_t thread)
{
	return 4711 + (pid_t)thread;
}

/* For a log: who frees, in which thread, and all in one ring. */
static void callers(void **state)
{
	const struct event one = { .kind = EVENT_ALLOC, .address = 0x10 << 26 };

	rings.options.callers = true;
	rings.options.event = keep_event;
	rings.options.tid = tid_of_thread;
	for (uint32_t i = 0; i < 2 * RINGS_CALLERS; i++)
		set_node(AGENT_FIRST_NODE + i, 0x401000 + i,
			 i ? AGENT_FIRST_NODE + i - 1 : AGENT_ROOT);
	produce(AGENT_FREE, 0x10, 0, 3, AGENT_FIRST_NODE + 1, 0);
	drain();
	assert_int_equal(last.kind, EVENT_FREE);
	assert_int_equal(last.kernel_tid, 4714);
	assert_int_equal(last.nr_frames, 2);
	assert_int_equal(code_pc(last_frames[0]), 0x401001);
	produce(AGENT_RESIZE_BEGIN, 0x10, 0, 3, AGENT_FIRST_NODE + 2 * RINGS_CALLERS - 1, 0);
	drain();
	assert_int_equal(last.nr_frames, RINGS_CALLERS);
	produce(AGENT_RESIZE_FAILED, 0x10, 500, 3, NONE, 0);
	drain();
	assert_int_equal(last.size, 500);
	assert_int_equal(last.nr_frames, 0);
	assert_true(rings_takes(&rings, &one));
	rings.options.nr_lanes = 4;
	assert_true(rings_takes(&rings, &one));
	rings.options.nr_lanes = 1;
}

static void who_frees(void **state)
{
	rings.options.event = keep_event;
	rings.options.depth = 64;
	set_node(AGENT_FIRST_NODE, 0x401000, AGENT_ROOT);
	for (uint32_t i = 1; i < 100; i++)
		set_node(AGENT_FIRST_NODE + i, 0x401000 + i, AGENT_FIRST_NODE + i - 1);
	produce(AGENT_FREE, 0x10, 0x401234, 3, NONE, 0);
	drain();
	assert_int_equal(last.caller, 0x401234);
	assert_false(last.from_own);
	assert_int_equal(last.size, 0);
	assert_null(last.site);
	assert_int_equal(last.nr_frames, 0);
	produce(AGENT_RESIZE_BEGIN, 0x10, 0x401234 | AGENT_FROM_OWN, 3, AGENT_FIRST_NODE + 99, 0);
	drain();
	assert_int_equal(last.kind, EVENT_RESIZE_BEGIN);
	assert_int_equal(last.caller, 0x401234);
	assert_true(last.from_own);
	assert_int_equal(last.size, 0);
	assert_int_equal(last.nr_frames, 64); /* each time */
	assert_null(last.site);
	produce(AGENT_FREE, 0x10, 0x401234, 3, AGENT_FIRST_NODE + 1, 0);
	drain();
	assert_non_null(last.site);
	assert_int_equal(last.nr_frames, 2);
	rings.options.callers = true;
	produce(AGENT_FREE, 0x10, 0x401234, 3, AGENT_FIRST_NODE + 99, 0);
	drain();
	assert_int_equal(last.nr_frames, RINGS_CALLERS);
	rings.options.free_stacks = true;
	produce(AGENT_FREE, 0x10, 0x401234, 3, AGENT_FIRST_NODE + 99, 0);
	drain();
	assert_int_equal(last.nr_frames, 64);
}

static uint64_t key_77(void *owner, uint32_t thread)
{
	return 77;
}

/* Of a thread whose outer call somebody else watches. */
static void muted_ones_are_inside(void **state)
{
	rings.options.event = keep_event;
	rings.options.key = key_77;
	assert_int_equal(rings_mute(&rings, 77, true), 0);
	drain();
	produce(AGENT_ALLOC, 0x10, 5, 3, NONE, 0);
	drain();
	assert_int_equal(last.kind, EVENT_ALLOC_INSIDE);
	assert_int_equal(last.address, 0x10);
	produce(AGENT_RESIZE_BEGIN, 0x20, 0x401000, 3, NONE, 0);
	drain();
	assert_int_equal(last.kind, EVENT_FREE_INSIDE);
	assert_int_equal(last.address, 0x20);
	produce(AGENT_RESIZE_FAILED, 0x30, 5, 3, NONE, 0);
	drain();
	assert_int_equal(last.kind, EVENT_ALLOC_INSIDE);
	assert_int_equal(last.address, 0x30);
	last.kind = EVENT_FAILED;
	produce(AGENT_RESIZE_DONE, 0x30, 0, 3, NONE, 0);
	produce(AGENT_FAILED, 0, 0, 3, NONE, 0);
	drain();
	assert_int_equal(last.kind, EVENT_FAILED);
	assert_int_equal(last.address, 0x30);
	produce(AGENT_ALLOC_INSIDE, 0, 0, 3, NONE, 0);
	drain();
	assert_int_equal(last.kind, EVENT_ALLOC_INSIDE);
	assert_int_equal(last.address, 0);
	assert_int_equal(rings.stats.refused, 0);
}

static void *write_freely(void *argument)
{
	uint32_t number = *(uint32_t *)argument;

	for (uint32_t i = 0; i < NR_CALLS; i++) {
		taddr_t address = 0x7f0000000000 + (number % 2 * 0x4000000ull) +
				  (i % 16 + number * 16 + 1) * 16;

		produce(AGENT_ALLOC, address, i, number, AGENT_FIRST_NODE, 0);
		produce(AGENT_FREE, address, 0, number, NONE, 0);
	}
	return NULL;
}

/* Claims and commits as they come, without a lock: two threads a ring. */
static void order_an_address(void **state)
{
	pthread_t threads[NR_THREADS];
	uint32_t numbers[NR_THREADS];
	struct consumer *consumer;

	make_nodes();
	assert_int_equal(consumer_start(&rings, notice, NULL, &consumer), 0);
	for (uint32_t i = 0; i < NR_THREADS; i++) {
		numbers[i] = i;
		pthread_create(&threads[i], NULL, write_freely, &numbers[i]);
	}
	for (uint32_t i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
	consumer_lock(consumer);
	assert_true(rings_catch_up(&rings));
	assert_int_equal(heap.totals.allocs, NR_THREADS * NR_CALLS);
	assert_int_equal(heap.totals.frees, NR_THREADS * NR_CALLS);
	assert_int_equal(heap.totals.unknown_frees + heap.totals.replaced_blocks, 0);
	consumer_unlock(consumer);
	consumer_stop(consumer);
}

static uint64_t beat(void)
{
	return __atomic_load_n(&shared->now_ns, __ATOMIC_RELAXED);
}

/* Idle, and while another thread has the lock. */
static void the_clock_goes_on(void **state)
{
	struct consumer *consumer;
	uint64_t before;

	assert_int_equal(consumer_start(&rings, notice, NULL, &consumer), 0);
	usleep(50000);
	before = beat();
	usleep(50000);
	assert_true(beat() > before);
	consumer_lock(consumer);
	before = beat();
	usleep(100000);
	assert_true(beat() > before);
	consumer_unlock(consumer);
	consumer_stop(consumer);
}

static void the_loader_is_heard(void **state)
{
	struct consumer *consumer;
	unsigned before;

	assert_int_equal(consumer_start(&rings, notice, NULL, &consumer), 0);
	usleep(10000);
	assert_int_equal(__atomic_load_n(&nr_notices, __ATOMIC_RELAXED), 0);
	__atomic_store_n(&shared->loader_requests, 1, __ATOMIC_RELEASE);
	while (__atomic_load_n(&nr_notices, __ATOMIC_RELAXED) < 2)
		usleep(1000);
	__atomic_store_n(&shared->loader_done, 1, __ATOMIC_RELAXED);
	usleep(20000);
	before = __atomic_load_n(&nr_notices, __ATOMIC_RELAXED);
	usleep(50000);
	assert_int_equal(__atomic_load_n(&nr_notices, __ATOMIC_RELAXED), before);
	consumer_stop(consumer);
}

static void no_consumer_is_none(void **state)
{
	consumer_lock(NULL);
	consumer_unlock(NULL);
	consumer_stop(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_there),
		TEST(the_three),
		TEST(realloc_is_an_alloc_and_a_free),
		TEST(realloc_fails),
		TEST(realloc_in_two_threads),
		TEST(stacks_are_paths),
		TEST(long_stacks_are_cut),
		TEST(a_full_ring_is_shared_out),
		TEST(laps),
		TEST(laps_start_again),
		TEST(a_claim_is_waited_for),
		TEST(holes_are_given_up),
		TEST(a_hole_with_nothing_behind_is_not),
		TEST(a_late_commit_is_ignored),
		TEST(finish_takes_all),
		TEST(times_are_never_ahead),
		TEST(nonsense_is_refused),
		TEST(parents_in_a_circle),
		TEST(indexes_jump),
		TEST(stacks_are_bounded),
		TEST(any_bytes),
		TEST(threads_and_a_consumer),
		TEST(two_lanes_and_two_consumers),
		TEST(insertions_have_a_lane),
		TEST(callers),
		TEST(who_frees),
		TEST(muted_ones_are_inside),
		TEST(order_an_address),
		TEST(the_clock_goes_on),
		TEST(the_loader_is_heard),
		TEST(no_consumer_is_none),
	};

	return cmocka_run_group_tests_name("rings", tests, NULL, NULL);
}
