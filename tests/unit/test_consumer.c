/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads that write, and those that read: the same events as the break engine's must give the
 * same books, whatever the order of threads.
 */
#include <pthread.h>

#include "../../tracer/probe/consumer.h"
#include "rings_fixture.h"

/*
 * Threads at work.  Each has blocks of its own and some that wander: what one thread allocates,
 * another may free.  A lock around what both sides are told, as the allocator would have.
 */
#define NR_THREADS 4
#define NR_CALLS 150000u
#define OWN_BLOCKS 200
#define NR_STACKS 50

struct worker {
	pthread_t thread;
	uint32_t number;
	uint64_t seed;
};

static struct heap direct;		/* what the break engine would have told */
static unsigned nr_notices;
static pthread_mutex_t direct_lock = PTHREAD_MUTEX_INITIALIZER;

static int setup_both(void **state)
{
	nr_notices = 0;
	return setup(state) || heap_init(&direct) ? -1 : 0;
}

static int teardown_both(void **state)
{
	heap_deinit(&direct);
	return teardown(state);
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

#define BOTH(name) cmocka_unit_test_setup_teardown(name, setup_both, teardown_both)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(threads_and_a_consumer), BOTH(two_lanes_and_two_consumers),
		BOTH(order_an_address), BOTH(the_clock_goes_on), BOTH(the_loader_is_heard),
		BOTH(no_consumer_is_none),
	};

	return cmocka_run_group_tests_name("consumer", tests, NULL, NULL);
}
