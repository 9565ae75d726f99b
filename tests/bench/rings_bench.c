/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an event costs the tracer once it is in a ring, and whether the consumer keeps up with
 * threads that do nothing but write records.  First the rings are filled and drained in turn, with
 * few and with many live blocks: ns an event, the best of several rounds.  Then threads write at
 * full speed while a consumer runs: how much gets through, and how much is dropped after a wait
 * of 1 ms, as the agent does it.  No stack is walked here and nothing is allocated.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "../../tracer/base/clock.h"
#include "../../tracer/base/hash.h"
#include "../../tracer/heap/heap.h"
#include "../../tracer/probe/consumer.h"

#define NR_WAITING 4096u	/* freed and not handed out again yet */
#define NR_ROUNDS 12
#define ROUND_RECORDS 150000u	/* never fills a ring */
#define DEPTH 20u
#define LIVE_MS 1500
#define LIVE_BLOCKS 256u
#define MOST_THREADS 8

static struct agent_shared *shared;
static struct rings rings;
static struct heap heap;
static uint64_t state = 1;
static bool ending;

static uint64_t random_next(void)
{
	state = state * 6364136223846793005ULL + 1442695040888963407ULL;
	return hash_u64(state);
}

static void take_event(void *consumer, const struct event *event)
{
	heap_event(&heap, event);
}

static void prefetch(void *consumer, taddr_t address)
{
	heap_prefetch(&heap, address);
}

/* Stacks that part in their innermost frame: nodes from `first` on. */
static uint32_t make_stacks(uint32_t nr)
{
	uint32_t first = AGENT_FIRST_NODE + DEPTH;

	for (uint32_t i = AGENT_FIRST_NODE; i < first + nr; i++)
		shared->nodes[i] = (struct agent_node){
			.frame = code_make(1, 0x400000 + i * 16),
			.parent = i == AGENT_FIRST_NODE ? AGENT_ROOT : i < first ? i - 1 : first - 1,
		};
	return first;
}

static void open_all(void)
{
	const struct rings_options options = {
		.depth = 64, .epoch_ns = clock_ns(), .event = take_event, .prefetch = prefetch,
	};
	int fd = memfd_create("rings_bench", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, sizeof(*shared)))
		exit(EXIT_FAILURE);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (shared == MAP_FAILED || heap_init(&heap) || rings_init(&rings, shared, &options))
		exit(EXIT_FAILURE);
}

static void close_all(void)
{
	rings_deinit(&rings);
	heap_deinit(&heap);
	munmap(shared, sizeof(*shared));
}

static bool has_room(struct agent_ring *ring)
{
	uint64_t claimed = __atomic_load_n(&ring->claimed, __ATOMIC_RELAXED);
	uint64_t taken = __atomic_load_n(&ring->taken_seen, __ATOMIC_RELAXED);

	if (claimed - taken < AGENT_RING_RECORDS - AGENT_RING_MARGIN)
		return true;
	taken = __atomic_load_n(&ring->taken, __ATOMIC_ACQUIRE);
	__atomic_store_n(&ring->taken_seen, taken, __ATOMIC_RELAXED);
	return claimed - taken < AGENT_RING_RECORDS - AGENT_RING_MARGIN;
}

static bool wait_for_room(struct agent_ring *ring)
{
	uint64_t now = __atomic_load_n(&shared->now_ns, __ATOMIC_RELAXED), start;

	if (__atomic_load_n(&shared->stalled_ns, __ATOMIC_RELAXED) == now)
		return false;
	for (start = clock_ns(); clock_ns() - start < 1000000;)
		if (has_room(ring))
			return true;
	__atomic_store_n(&shared->stalled_ns, now, __ATOMIC_RELAXED);
	return false;
}

static void produce(enum agent_kind kind, taddr_t address, uint64_t size, uint32_t thread,
		    uint32_t node)
{
	unsigned i = agent_ring_of(address);
	struct agent_ring *ring = &shared->rings[i];
	struct agent_record *record;
	uint64_t index;

	if (!has_room(ring) && !wait_for_room(ring)) {
		__atomic_fetch_add(&shared->dropped, 1, __ATOMIC_RELAXED);
		return;
	}
	index = __atomic_fetch_add(&ring->claimed, 1, __ATOMIC_RELAXED);
	record = &shared->records[i][index % AGENT_RING_RECORDS];
	record->kind_size = (uint64_t)kind << 48 | size;
	record->thread_stack = (uint64_t)thread << 32 | node;
	record->time_ns = __atomic_load_n(&shared->now_ns, __ATOMIC_RELAXED);
	__atomic_store_n(&record->lap_address, agent_lap(index) << AGENT_ADDRESS_BITS | address,
			 __ATOMIC_RELEASE);
}

/* As one arena after the other hands them out. */
static taddr_t *make_addresses(uint32_t nr)
{
	taddr_t *addresses = malloc(nr * sizeof(*addresses)), top = 0x7f0000000010;

	if (!addresses)
		exit(EXIT_FAILURE);
	for (uint32_t i = 0; i < nr; i++) {
		addresses[i] = top;
		top += 32 + random_next() % 16 * 16;
	}
	for (uint32_t i = nr; i-- > 1;) {
		taddr_t *other = &addresses[random_next() % i], kept = *other;

		*other = addresses[i];
		addresses[i] = kept;
	}
	return addresses;
}

static double drain_all(void)
{
	uint64_t start = clock_ns(), before = rings.stats.taken;

	while (rings_drain(&rings))
		;
	return (double)(clock_ns() - start) / (double)(rings.stats.taken - before);
}

static double churn(taddr_t *live, uint32_t nr_live, uint32_t first, uint32_t nr_stacks)
{
	taddr_t *waiting = live + nr_live;

	for (uint32_t i = 0; i < ROUND_RECORDS / 2; i++) {
		taddr_t *block = &live[random_next() % nr_live];
		taddr_t *next = &waiting[i % NR_WAITING], freed = *block;

		produce(AGENT_FREE, freed, 0, 0, 0);
		produce(AGENT_ALLOC, *next, 64, 0, first + (uint32_t)(random_next() % nr_stacks));
		*block = *next;
		*next = freed;
	}
	return drain_all();
}

static void consumer_alone(uint32_t nr_live, uint32_t nr_stacks)
{
	taddr_t *addresses = make_addresses(nr_live + NR_WAITING);
	double best = 1e9;
	uint32_t first;

	open_all();
	first = make_stacks(nr_stacks);
	for (uint32_t i = 0; i < nr_live; i++) {
		produce(AGENT_ALLOC, addresses[i], 64, 0, first + i % nr_stacks);
		if (i % ROUND_RECORDS == 0 || i == nr_live - 1)
			drain_all();
	}
	for (int i = 0; i < NR_ROUNDS; i++) {
		double ns = churn(addresses, nr_live, first, nr_stacks);

		best = ns < best ? ns : best;
	}
	printf("rings: %u live blocks, %u stacks: %.1f ns an event\n", nr_live, nr_stacks, best);
	if (heap.totals.live_blocks != nr_live || shared->dropped)
		printf("rings: WRONG: %lu blocks\n", heap.totals.live_blocks);
	close_all();
	free(addresses);
}

static void *write_records(void *argument)
{
	uint32_t thread = *(uint32_t *)argument;
	taddr_t arena = 0x7f0000000000 + thread * 0x4000000ull;
	bool live[LIVE_BLOCKS] = { false };

	for (uint32_t i = 0; !__atomic_load_n(&ending, __ATOMIC_RELAXED); i++) {
		uint32_t block = (uint32_t)(hash_u64(i / 3) % LIVE_BLOCKS);

		produce(live[block] ? AGENT_FREE : AGENT_ALLOC, arena + 16 + block * 64, 64,
			thread, AGENT_FIRST_NODE + DEPTH + block);
		live[block] = !live[block];
	}
	return NULL;
}

static void notify(void *owner)
{
}

static void report(unsigned nr_threads, double seconds, double cpu_seconds)
{
	uint64_t done = rings.stats.taken + shared->dropped;

	printf("rings: %u threads: %.1f million events/s, %.3f%% dropped, %.1f million/s taken "
	       "(consumer: %.0f%% of a processor)\n", nr_threads,
	       (double)done / seconds / 1e6, 100.0 * (double)shared->dropped / (double)done,
	       (double)rings.stats.taken / seconds / 1e6, 100 * cpu_seconds / seconds);
}

static double cpu_s(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void live(unsigned nr_threads)
{
	pthread_t threads[MOST_THREADS];
	uint32_t numbers[MOST_THREADS];
	struct consumer *consumer;
	double cpu = cpu_s(CLOCK_PROCESS_CPUTIME_ID), part;
	uint64_t start = clock_ns();
	clockid_t clock;

	open_all();
	make_stacks(LIVE_BLOCKS);
	if (consumer_start(&rings, notify, NULL, &consumer))
		exit(EXIT_FAILURE);
	ending = false;
	for (uint32_t i = 0; i < nr_threads; i++) {
		numbers[i] = i;
		pthread_create(&threads[i], NULL, write_records, &numbers[i]);
	}
	usleep(LIVE_MS * 1000);
	part = 0;
	for (unsigned i = 0; i < nr_threads; i++)
		if (!pthread_getcpuclockid(threads[i], &clock))
			part += cpu_s(clock);
	cpu = cpu_s(CLOCK_PROCESS_CPUTIME_ID) - cpu - part;
	__atomic_store_n(&ending, true, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < nr_threads; i++)
		pthread_join(threads[i], NULL);
	consumer_stop(consumer);
	rings_finish(&rings);
	report(nr_threads, (double)(clock_ns() - start) / 1e9, cpu);
	close_all();
}

int main(void)
{
	consumer_alone(1000, 100);
	consumer_alone(1000000, 1000);
	consumer_alone(1000000, 50000);
	live(1);
	live(2);
	live(8);
	return EXIT_SUCCESS;
}
