/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Events in, counts out: valgrind's counting, and totals that agree with sites and blocks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../tracer/heap/heap.h"

#define THREAD 100
#define OTHER 101

static struct heap heap;
static uint64_t clock_now;

static int setup(void **state)
{
	clock_now = 0;
	return heap_init(&heap);
}

static int teardown(void **state)
{
	heap_deinit(&heap);
	return 0;
}

static void check_sites(void)
{
	uint64_t blocks = 0, bytes = 0;

	for (uint32_t i = 0; i < sites_count(heap.sites); i++) {
		const struct site *site = sites_get(heap.sites, i);

		assert_int_equal(site->live_blocks, site->allocs - site->frees);
		blocks += site->live_blocks;
		bytes += site->live_bytes;
	}
	assert_int_equal(blocks, heap.totals.live_blocks);
	assert_int_equal(bytes, heap.totals.live_bytes);
}

static void check_blocks(void)
{
	struct block block;
	uint64_t cursor = 0, bytes = 0;

	while (ledger_next(&heap.ledger, &cursor, &block))
		bytes += block.size;
	for (size_t i = 0; i < heap.held.nr; i++)
		bytes += heap.held.items[i].block.size;
	assert_int_equal(bytes, heap.totals.live_bytes);
	assert_int_equal(heap.ledger.nr_live + heap.held.nr, heap.totals.live_blocks);
}

static bool is_live(taddr_t address)
{
	struct block block;

	return ledger_find(&heap.ledger, address, &block);
}

/* After each event all books must agree. */
static void check_books(void)
{
	const struct heap_totals *totals = &heap.totals;

	assert_int_equal(totals->live_blocks,
			 totals->allocs - totals->frees - totals->replaced_blocks);
	check_sites();
	check_blocks();
}

static void event(enum event_kind kind, pid_t tid, taddr_t old_address, taddr_t address,
		  uint64_t size)
{
	static const code_t stack[] = { 0x401000, 0x402000 };

	heap_event(&heap, &(struct event){
		.kind = kind,
		.tid = tid,
		.old_address = old_address,
		.address = address,
		.size = size,
		.time_ns = ++clock_now,
		.stack = stack,
		.nr_frames = 2,
		.truncated = size == 99,
	});
	check_books();
}

static void alloc(taddr_t address, uint64_t size)
{
	event(EVENT_ALLOC, THREAD, 0, address, size);
}

static void release(taddr_t address)
{
	event(EVENT_FREE, THREAD, 0, address, 0);
}

/* What a realloc() tells before and after. */
static void resize(taddr_t old_address, taddr_t address, uint64_t size)
{
	event(EVENT_RESIZE_BEGIN, THREAD, old_address, 0, size);
	event(EVENT_RESIZE_END, THREAD, old_address, address, size);
}

static void assert_totals(uint64_t allocs, uint64_t frees, uint64_t blocks, uint64_t bytes)
{
	assert_int_equal(heap.totals.allocs, allocs);
	assert_int_equal(heap.totals.frees, frees);
	assert_int_equal(heap.totals.live_blocks, blocks);
	assert_int_equal(heap.totals.live_bytes, bytes);
}

static void the_three(void **state)
{
	alloc(0x10, 10);
	alloc(0x20, 20);
	alloc(0x30, 30);
	release(0x10);
	release(0x30);
	assert_totals(3, 2, 1, 20);
	assert_int_equal(heap.totals.bytes_allocated, 60);
	assert_int_equal(heap.totals.peak_bytes, 60);
	assert_int_equal(heap.totals.events, 5);
	assert_int_equal(sites_count(heap.sites), 1);
	assert_int_equal(sites_get(heap.sites, 0)->lifetime_sum_ns, 3 + 2);
}

static void nothing_allocated_counts(void **state)
{
	alloc(0x10, 0);
	assert_totals(1, 0, 1, 0);
	release(0x10);
	assert_totals(1, 1, 0, 0);
}

static void unknown_free(void **state)
{
	release(0x10);
	assert_totals(0, 0, 0, 0);
	assert_int_equal(heap.totals.unknown_frees, 1);
}

static void failed(void **state)
{
	event(EVENT_FAILED, THREAD, 0, 0, 1000);
	assert_totals(0, 0, 0, 0);
	assert_int_equal(heap.totals.failed_allocs, 1);
}

static void truncated(void **state)
{
	alloc(0x10, 99);
	alloc(0x20, 20);
	assert_int_equal(heap.totals.truncated_stacks, 1);
	assert_int_equal(sites_count(heap.sites), 2);
}

static void missed_free(void **state)
{
	alloc(0x10, 10);
	alloc(0x10, 25);
	assert_totals(2, 0, 1, 25);
	assert_int_equal(heap.totals.replaced_blocks, 1);
	assert_int_equal(heap.totals.peak_bytes, 25);
	release(0x10);
	assert_totals(2, 1, 0, 0);
}

static void pool_begins_where_its_chunk_does(void **state)
{
	alloc(0x1000, 4096);
	alloc(0x1000 | ADDRESS_POOL, 16);
	assert_totals(2, 0, 2, 4112);
	release(0x1000 | ADDRESS_POOL);
	assert_totals(2, 1, 1, 4096);
	alloc(0x1000 | ADDRESS_POOL, 17);
	release(0x1000);
	assert_totals(3, 2, 1, 17);
	assert_int_equal(heap.totals.replaced_blocks, 0);
	assert_int_equal(heap.totals.unknown_frees, 0);
}

static void pools_and_malloc_free_for_each_other(void **state)
{
	alloc(0x10 | ADDRESS_POOL, 10);
	release(0x10);
	alloc(0x20, 20);
	release(0x20 | ADDRESS_POOL);
	assert_totals(2, 2, 0, 0);
	alloc(0x30 | ADDRESS_POOL, 30);
	resize(0x30, 0x40, 40);
	assert_totals(4, 3, 1, 40);
	alloc(0x50 | ADDRESS_POOL, 50);
	resize(0x50, 0, 60);
	release(0x50 | ADDRESS_POOL);
	assert_totals(5, 4, 1, 40);
	assert_int_equal(heap.totals.unknown_frees, 0);
}

static void freed_inside_of_another_call(void **state)
{
	alloc(0x10, 10);
	alloc(0x20 | ADDRESS_POOL, 20);
	event(EVENT_FREE_INSIDE, THREAD, 0, 0x10, 0);
	assert_totals(2, 1, 1, 20);
	/* Not known, or of the other kind: it may be a part of the block that is known. */
	event(EVENT_FREE_INSIDE, THREAD, 0, 0x10, 0);
	event(EVENT_FREE_INSIDE, THREAD, 0, 0x20, 0);
	assert_totals(2, 1, 1, 20);
	assert_int_equal(heap.totals.unknown_frees, 0);
}

static void resize_moves(void **state)
{
	alloc(0x10, 10);
	event(EVENT_RESIZE_BEGIN, THREAD, 0x10, 0, 40);
	assert_totals(1, 0, 1, 10);
	event(EVENT_RESIZE_END, THREAD, 0x10, 0x50, 40);
	assert_totals(2, 1, 1, 40);
	assert_int_equal(heap.totals.bytes_allocated, 50);
	assert_false(is_live(0x10));
}

static void resize_stays(void **state)
{
	alloc(0x10, 10);
	resize(0x10, 0x10, 40);
	assert_totals(2, 1, 1, 40);
	assert_int_equal(heap.totals.replaced_blocks, 0);
}

static void resize_fails(void **state)
{
	alloc(0x10, 10);
	resize(0x10, 0, 1 << 30);
	assert_totals(1, 0, 1, 10);
	assert_int_equal(heap.totals.failed_allocs, 1);
	assert_true(is_live(0x10));
}

static void resize_to_nothing_frees(void **state)
{
	alloc(0x10, 10);
	resize(0x10, 0, 0);
	assert_totals(1, 1, 0, 0);
}

static void resize_of_unknown(void **state)
{
	resize(0x10, 0x50, 40);
	assert_totals(1, 0, 1, 40);
	assert_int_equal(heap.totals.unknown_frees, 1);
	resize(0x20, 0, 40);
	assert_int_equal(heap.totals.unknown_frees, 1);
	assert_int_equal(heap.totals.failed_allocs, 1);
}

static void resize_of_null_is_an_allocation(void **state)
{
	resize(0, 0x50, 40);
	assert_totals(1, 0, 1, 40);
	assert_int_equal(heap.totals.unknown_frees, 0);
}

/* The block moves; before that is known, another thread is given its old address. */
static void old_address_is_given_away(void **state)
{
	alloc(0x10, 10);
	event(EVENT_RESIZE_BEGIN, THREAD, 0x10, 0, 40);
	event(EVENT_ALLOC, OTHER, 0, 0x10, 7);
	event(EVENT_RESIZE_BEGIN, OTHER, 0x10, 0, 8);
	assert_totals(2, 0, 2, 17);
	event(EVENT_RESIZE_END, THREAD, 0x10, 0x50, 40);
	assert_totals(3, 1, 2, 47);
	event(EVENT_RESIZE_END, OTHER, 0x10, 0x10, 8);
	assert_totals(4, 2, 2, 48);
	assert_int_equal(heap.totals.replaced_blocks, 0);
}

static void resize_lost(void **state)
{
	alloc(0x10, 10);
	event(EVENT_RESIZE_BEGIN, THREAD, 0x10, 0, 40);
	event(EVENT_RESIZE_LOST, THREAD, 0x10, 0, 0);
	assert_totals(1, 0, 1, 10);
	assert_true(is_live(0x10));
}

static void resize_lost_where_another_lives(void **state)
{
	alloc(0x10, 10);
	event(EVENT_RESIZE_BEGIN, THREAD, 0x10, 0, 40);
	event(EVENT_ALLOC, OTHER, 0, 0x10, 7);
	event(EVENT_RESIZE_LOST, THREAD, 0x10, 0, 0);
	assert_totals(2, 0, 1, 7);
	assert_int_equal(heap.totals.replaced_blocks, 1);
}

/* However many there are, the books agree, and who looks for one finds it soon. */
static void many_are_lost(void **state)
{
	for (taddr_t i = 1; i <= 6000; i++) {
		heap_event(&heap, &(struct event){ .kind = EVENT_ALLOC, .address = i, .size = 1 });
		heap_event(&heap, &(struct event){ .kind = EVENT_RESIZE_BEGIN, .tid = (pid_t)i,
						   .old_address = i });
	}
	event(EVENT_RESIZE_END, 6000, 6000, 9000, 3);
	assert_totals(6001, 1, 6000, 6002);
	assert_true(heap.held.nr < 5000);
	assert_int_equal(heap.totals.replaced_blocks, 0);
}

/* What an engine knows of a stack already, it need not tell again. */
static void a_known_site_has_its_cell(void **state)
{
	static const code_t stack[] = { 0x401000, 0x402000 };
	uint32_t cells[2] = { 0, 0 };
	struct event first = {
		.kind = EVENT_ALLOC, .address = 0x10, .size = 1, .function = 3,
		.stack = stack, .nr_frames = 2, .site = &cells[0],
	};

	alloc(0x20, 1);
	heap_event(&heap, &first);
	assert_int_equal(cells[0], 2);
	first.site = &cells[1];
	heap_event(&heap, &first);
	assert_int_equal(cells[1], 2);
	heap_event(&heap, &(struct event){ .kind = EVENT_ALLOC, .address = 0x30, .size = 1,
					   .site = &cells[0], .truncated = true });
	assert_int_equal(sites_count(heap.sites), 2);
	assert_int_equal(sites_get(heap.sites, 1)->allocs, 3);
	assert_int_equal(heap.totals.truncated_stacks, 1);
	check_books();
}

static void settle(void **state)
{
	alloc(0x10, 10);
	alloc(0x20, 20);
	event(EVENT_RESIZE_BEGIN, THREAD, 0x10, 0, 40);
	event(EVENT_RESIZE_BEGIN, OTHER, 0x20, 0, 40);
	heap_settle(&heap);
	assert_totals(2, 0, 2, 30);
	assert_int_equal(heap.ledger.nr_live, 2);
}

static void restart(void **state)
{
	alloc(0x10, 10);
	event(EVENT_RESIZE_BEGIN, THREAD, 0x10, 0, 40);
	assert_int_equal(heap_restart(&heap), 0);
	assert_totals(0, 0, 0, 0);
	assert_int_equal(sites_count(heap.sites), 0);
	alloc(0x10, 10);
	assert_totals(1, 0, 1, 10);
}

/* The n-th of a series of events: allocations of ten addresses of one half, and their frees. */
static void tell_both(struct heap *half, struct heap *whole, unsigned n)
{
	taddr_t address = 0x1000 * (1 + n % 2) + 0x10 * (n / 2 % 10);
	const code_t stack[] = { 0x401000 + n % 6, 0x402000 };
	const struct event event = {
		.kind = n / 20 % 3 == 1 ? EVENT_FREE : EVENT_ALLOC, .function = n % 3,
		.address = address, .size = n, .time_ns = n * 10000000ull,
		.stack = stack, .nr_frames = 2,
	};

	heap_event(half, &event);
	heap_event(whole, &event);
}

static void assert_same_site(struct heap *one, uint32_t id, struct heap *other, uint32_t other_id)
{
	const struct site *a = sites_get(one->sites, id), *b = sites_get(other->sites, other_id);

	assert_int_equal(a->allocs, b->allocs);
	assert_int_equal(a->frees, b->frees);
	assert_int_equal(a->live_bytes, b->live_bytes);
	assert_int_equal(a->first_ns, b->first_ns);
	assert_int_equal(a->last_ns, b->last_ns);
	assert_int_equal(a->lifetime_min_ns, b->lifetime_min_ns);
	assert_int_equal(a->lifetime_max_ns, b->lifetime_max_ns);
	assert_int_equal(a->lifetime_sum_ns, b->lifetime_sum_ns);
	assert_true(a->peak_bytes >= b->peak_bytes);
	assert_memory_equal(sites_instant_bytes(one->sites, id),
			    sites_instant_bytes(other->sites, other_id),
			    SITE_INSTANTS * sizeof(uint64_t));
}

static uint32_t same_site(struct heap *one, uint32_t id, struct heap *other)
{
	const struct site *site = sites_get(one->sites, id);
	struct stack_view stack = stacks_get(one->stacks, site->stack);
	uint32_t other_stack, found;

	assert_int_equal(stacks_intern(other->stacks, stack.frames, stack.nr_frames,
				       stack.truncated, &other_stack), 0);
	assert_int_equal(sites_intern(other->sites, site->function, other_stack, &found), 0);
	return found;
}

static void merged_halves_are_the_whole(void **state)
{
	const unsigned nr = 2000;
	struct heap other, whole;
	uint64_t distance;

	assert_true(!heap_init(&other) && !heap_init(&whole));
	for (unsigned n = 0; n < nr; n++)
		tell_both(n % 2 ? &other : &heap, &whole, n);
	heap_tick(&heap, nr * 10000000ull);
	heap_tick(&other, nr * 10000000ull);
	heap_tick(&whole, nr * 10000000ull);
	heap_merge(&heap, &other);
	heap_deinit(&other);
	check_books();
	assert_int_equal(heap.totals.events, whole.totals.events);
	assert_int_equal(heap.totals.replaced_blocks, whole.totals.replaced_blocks);
	assert_int_equal(heap.totals.unknown_frees, whole.totals.unknown_frees);
	assert_totals(whole.totals.allocs, whole.totals.frees, whole.totals.live_blocks,
		      whole.totals.live_bytes);
	assert_true(sites_instants(heap.sites, &distance) > 4);
	for (uint32_t id = 0; id < sites_count(heap.sites); id++)
		assert_same_site(&heap, id, &whole, same_site(&heap, id, &whole));
	assert_int_equal(sites_count(heap.sites), sites_count(whole.sites));
	heap_deinit(&whole);
}

/* --- some time was not watched --- */

static void disown_all(void)
{
	uint64_t events = heap.totals.events, peak_bytes = heap.totals.peak_bytes;

	heap_disown(&heap, ++clock_now);
	check_books();
	assert_int_equal(heap.totals.live_blocks, 0);
	assert_int_equal(heap.totals.live_bytes, 0);
	assert_int_equal(heap.held.nr, 0);
	assert_int_equal(heap.totals.events, events);
	assert_int_equal(heap.totals.peak_bytes, peak_bytes);
	assert_int_equal(heap.totals.lost_events, 0);
}

static void assert_unwatched(uint64_t blocks, uint64_t bytes)
{
	assert_int_equal(heap.totals.unwatched_blocks, blocks);
	assert_int_equal(heap.totals.unwatched_bytes, bytes);
}

static void disowned_blocks_are_in_no_figure(void **state)
{
	alloc(0x10, 10);
	alloc(0x20, 20);
	alloc(0x30, 0);
	alloc(0x40, 40);
	release(0x20);
	disown_all();
	assert_totals(1, 1, 0, 0);
	assert_unwatched(3, 50);
	assert_int_equal(heap.totals.bytes_allocated, 20);
	assert_int_equal(heap.totals.peak_bytes, 70);
	assert_int_equal(sites_get(heap.sites, 0)->allocs, 1);
	assert_int_equal(sites_get(heap.sites, 0)->frees, 1);
	assert_int_equal(sites_get(heap.sites, 0)->peak_bytes, 70);
	assert_false(is_live(0x10));
}

static void disowned_and_freed_after_it(void **state)
{
	alloc(0x10, 10);
	alloc(0x20, 20);
	disown_all();
	release(0x10);
	assert_totals(0, 0, 0, 0);
	assert_int_equal(heap.totals.unknown_frees, 1);
	resize(0x20, 0x50, 40);
	assert_totals(1, 0, 1, 40);
	assert_int_equal(heap.totals.unknown_frees, 2);
	assert_unwatched(2, 30);
}

/* It was freed unseen: nothing is missed of what the trace has seen. */
static void disowned_and_given_out_again(void **state)
{
	alloc(0x10, 10);
	disown_all();
	alloc(0x10, 7);
	assert_totals(1, 0, 1, 7);
	assert_int_equal(heap.totals.replaced_blocks, 0);
	release(0x10);
	assert_totals(1, 1, 0, 0);
	assert_int_equal(heap.totals.unknown_frees, 0);
	assert_int_equal(sites_get(heap.sites, 0)->first_ns, 3);
}

static void disowned_while_resized(void **state)
{
	alloc(0x10, 10);
	alloc(0x20, 20);
	alloc(0x30, 30);
	event(EVENT_RESIZE_BEGIN, THREAD, 0x10, 0, 40);
	event(EVENT_RESIZE_BEGIN, OTHER, 0x20, 0, 50);
	event(EVENT_RESIZE_BEGIN, OTHER + 1, 0x30, 0, 60);
	disown_all();
	assert_unwatched(3, 60);
	event(EVENT_RESIZE_END, THREAD, 0x10, 0x50, 40);
	assert_totals(1, 0, 1, 40);
	assert_int_equal(heap.totals.unknown_frees, 1);
	event(EVENT_RESIZE_END, OTHER, 0x20, 0, 50);
	assert_totals(1, 0, 1, 40);
	assert_int_equal(heap.totals.failed_allocs, 1);
	event(EVENT_RESIZE_LOST, OTHER + 1, 0x30, 0, 0);
	assert_totals(1, 0, 1, 40);
	assert_false(is_live(0x20) || is_live(0x30));
}

static void disowned_with_missed_frees(void **state)
{
	alloc(0x10, 10);
	alloc(0x10, 25);
	alloc(0x20, 20);
	event(EVENT_RESIZE_BEGIN, THREAD, 0x20, 0, 40);
	event(EVENT_ALLOC, OTHER, 0, 0x20, 7);	/* the held one must have gone */
	disown_all();
	assert_totals(2, 0, 0, 0);
	assert_int_equal(heap.totals.replaced_blocks, 2);
	assert_unwatched(2, 32);
	assert_int_equal(heap.totals.bytes_allocated, 30);
}

static void disowned_again_and_again(void **state)
{
	disown_all();
	assert_unwatched(0, 0);
	for (taddr_t i = 1; i <= 50; i++) {
		alloc(0x10 * i, i);
		alloc(0x10000, 1);
		release(0x10000);
		disown_all();
	}
	assert_totals(50, 50, 0, 0);
	assert_unwatched(50, 1275);
	disown_all();
	assert_unwatched(50, 1275);
	assert_int_equal(sites_count(heap.sites), 1);
}

static void disowned_in_great_number(void **state)
{
	for (taddr_t i = 1; i <= 100000; i++)
		heap_event(&heap, &(struct event){ .kind = EVENT_ALLOC, .function = i % 50,
						   .address = i, .size = 3 });
	disown_all();
	assert_unwatched(100000, 300000);
	for (taddr_t i = 1; i <= 1000; i++)
		alloc(i, 3);
	assert_totals(1000, 0, 1000, 3000);
}

/* What an engine knows of a stack is still so. */
static void disowned_sites_keep_their_cells(void **state)
{
	static const code_t stack[] = { 0x401000 };
	uint32_t cell = 0;
	struct event event = {
		.kind = EVENT_ALLOC, .address = 0x10, .size = 1, .function = 3,
		.stack = stack, .nr_frames = 1, .site = &cell,
	};

	alloc(0x20, 1);
	heap_event(&heap, &event);
	disown_all();
	heap_event(&heap, &event);
	assert_int_equal(cell, 2);
	assert_int_equal(sites_get(heap.sites, 1)->live_blocks, 1);
	check_books();
}

static void assert_estimate(const struct estimate *estimate, const struct estimate *expected)
{
	assert_true(estimate->blocks == expected->blocks);
	assert_true(estimate->bytes == expected->bytes);
	assert_true(estimate->blocks_square == expected->blocks_square);
	assert_true(estimate->bytes_square == expected->bytes_square);
}

static void assert_estimates_of(const struct site_estimate *estimate,
				const struct estimate *allocated, const struct estimate *live)
{
	assert_estimate(&estimate->allocated, allocated);
	assert_estimate(&estimate->live, live);
}

#define MEAN_BYTES 1000

static void disowned_samples_add_up_to_zero(void **state)
{
	static const struct estimate none;
	struct estimate all = none;
	uint64_t peak_bytes;

	heap_sample(&heap, MEAN_BYTES);
	for (uint64_t size = 0; size < 5000; size += 7) {
		struct estimate one = estimate_of(size, MEAN_BYTES);

		alloc(0x10 + size, size);
		estimate_add(&all, &one);
	}
	peak_bytes = heap.estimate.peak_bytes;
	assert_estimates_of(&heap.estimate, &all, &all);
	disown_all();
	assert_estimates_of(&heap.estimate, &none, &none);
	for (uint32_t id = 0; id < sites_count(heap.sites); id++)
		assert_estimates_of(sites_estimate(heap.sites, id), &none, &none);
	assert_estimate(&heap.unwatched, &all);
	assert_int_equal(heap.estimate.peak_bytes, peak_bytes);
}

static void disowned_samples_but_for_the_freed(void **state)
{
	static const struct estimate none;
	struct estimate freed = estimate_of(300, MEAN_BYTES), other = estimate_of(99, MEAN_BYTES);

	heap_sample(&heap, MEAN_BYTES);
	alloc(0x10, 300);
	alloc(0x20, 99);
	event(EVENT_RESIZE_BEGIN, THREAD, 0x20, 0, 1);
	release(0x10);
	disown_all();
	assert_estimates_of(&heap.estimate, &freed, &none);
	assert_estimate(&heap.unwatched, &other);
	alloc(0x10, 99);
	estimate_add(&freed, &other);
	assert_estimates_of(&heap.estimate, &freed, &other);
	release(0x10);
	release(0x20);
	assert_estimates_of(&heap.estimate, &freed, &none);
}

static void disowning_begins_the_growth_anew(void **state)
{
	const uint64_t second = 1000000000;
	struct site_quarters quarters;

	for (clock_now = 0; clock_now < 8 * second; clock_now += second / 10)
		alloc(0x10 + clock_now, 10);
	assert_true(sites_growing(heap.sites, 0));
	disown_all();
	assert_false(sites_quarters(heap.sites, 0, &quarters));
	heap_tick(&heap, clock_now + 4 * second);
	assert_false(sites_growing(heap.sites, 0));
	assert_true(sites_quarters(heap.sites, 0, &quarters));
	assert_int_equal(quarters.end_ns[0], clock_now + second);
	assert_int_equal(quarters.bytes[3], 0);
}

static void disown_three(struct heap *other, struct heap *whole, unsigned n)
{
	heap_disown(&heap, n * 10000000ull);
	heap_disown(other, n * 10000000ull);
	heap_disown(whole, n * 10000000ull);
}

static void tick_three(struct heap *other, struct heap *whole, unsigned n)
{
	heap_tick(&heap, n * 10000000ull);
	heap_tick(other, n * 10000000ull);
	heap_tick(whole, n * 10000000ull);
}

static void assert_same_totals(const struct heap_totals *a, const struct heap_totals *b)
{
	assert_totals(b->allocs, b->frees, b->live_blocks, b->live_bytes);
	assert_int_equal(a->bytes_allocated, b->bytes_allocated);
	assert_int_equal(a->unknown_frees, b->unknown_frees);
	assert_int_equal(a->replaced_blocks, b->replaced_blocks);
	assert_int_equal(a->unwatched_blocks, b->unwatched_blocks);
	assert_int_equal(a->unwatched_bytes, b->unwatched_bytes);
	assert_int_equal(a->lost_events, b->lost_events);
	assert_true(a->peak_bytes >= b->peak_bytes);
}

static void assert_same_quarters(struct heap *one, uint32_t id, struct heap *other,
				 uint32_t other_id)
{
	struct site_quarters a, b;

	assert_true(sites_quarters(one->sites, id, &a));
	assert_true(sites_quarters(other->sites, other_id, &b));
	assert_memory_equal(&a, &b, sizeof(a));
	assert_int_equal(sites_growing(one->sites, id), sites_growing(other->sites, other_id));
}

/* The second gap is at a time when instants have been halved. */
static void merge_disowned(uint64_t mean_bytes)
{
	static const unsigned gaps[] = { 0, 510, 1130, 2000 };
	struct heap other, whole;

	assert_true(!heap_init(&other) && !heap_init(&whole));
	heap_sample(&heap, mean_bytes);
	heap_sample(&other, mean_bytes);
	heap_sample(&whole, mean_bytes);
	for (size_t i = 0; i < 3; i++) {
		for (unsigned n = gaps[i] + (i ? 100 : 0); n < gaps[i + 1]; n++)
			tell_both(n % 2 ? &other : &heap, &whole, n);
		tick_three(&other, &whole, gaps[i + 1]);
		if (i < 2)
			disown_three(&other, &whole, gaps[i + 1] + 100);
	}
	heap_merge(&heap, &other);
	heap_deinit(&other);
	check_books();
	assert_true(whole.totals.unwatched_blocks && whole.totals.live_blocks);
	assert_same_totals(&heap.totals, &whole.totals);
	assert_estimates_of(&heap.estimate, &whole.estimate.allocated, &whole.estimate.live);
	assert_estimate(&heap.unwatched, &whole.unwatched);
	assert_int_equal(sites_count(heap.sites), sites_count(whole.sites));
	for (uint32_t id = 0; id < sites_count(heap.sites); id++) {
		assert_same_site(&heap, id, &whole, same_site(&heap, id, &whole));
		assert_same_quarters(&heap, id, &whole, same_site(&heap, id, &whole));
	}
	heap_deinit(&whole);
}

static void disowned_halves_are_the_whole(void **state)
{
	merge_disowned(0);
}

static void disowned_halves_of_samples(void **state)
{
	merge_disowned(MEAN_BYTES);
}

/* A site that both have, of which one knows nothing any more. */
static void disowned_site_of_both(void **state)
{
	static const code_t stack[] = { 0x401000, 0x402000 };
	struct heap other;

	assert_int_equal(heap_init(&other), 0);
	alloc(0x10, 10);
	disown_all();
	heap_event(&other, &(struct event){ .kind = EVENT_ALLOC, .address = 0x20, .size = 5,
					    .time_ns = 1, .stack = stack, .nr_frames = 2 });
	heap_disown(&other, clock_now);
	heap_event(&other, &(struct event){ .kind = EVENT_ALLOC, .address = 0x20, .size = 6,
					    .time_ns = 9, .stack = stack, .nr_frames = 2 });
	heap_tick(&heap, 9);
	heap_merge(&heap, &other);
	heap_deinit(&other);
	check_books();
	assert_int_equal(sites_count(heap.sites), 1);
	assert_totals(1, 0, 1, 6);
	assert_unwatched(2, 15);
	assert_int_equal(sites_get(heap.sites, 0)->first_ns, 9);
	assert_int_equal(sites_get(heap.sites, 0)->last_ns, 9);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(the_three), CASE(nothing_allocated_counts), CASE(unknown_free), CASE(failed),
		CASE(truncated), CASE(missed_free), CASE(pool_begins_where_its_chunk_does),
		CASE(pools_and_malloc_free_for_each_other), CASE(freed_inside_of_another_call),
		CASE(resize_moves), CASE(resize_stays), CASE(resize_fails),
		CASE(resize_to_nothing_frees), CASE(resize_of_unknown),
		CASE(resize_of_null_is_an_allocation), CASE(old_address_is_given_away),
		CASE(resize_lost), CASE(resize_lost_where_another_lives), CASE(many_are_lost),
		CASE(a_known_site_has_its_cell), CASE(settle), CASE(restart),
		CASE(merged_halves_are_the_whole), CASE(disowned_blocks_are_in_no_figure),
		CASE(disowned_and_freed_after_it), CASE(disowned_and_given_out_again),
		CASE(disowned_while_resized), CASE(disowned_with_missed_frees),
		CASE(disowned_again_and_again), CASE(disowned_in_great_number),
		CASE(disowned_sites_keep_their_cells), CASE(disowned_samples_add_up_to_zero),
		CASE(disowned_samples_but_for_the_freed), CASE(disowning_begins_the_growth_anew),
		CASE(disowned_halves_are_the_whole), CASE(disowned_halves_of_samples),
		CASE(disowned_site_of_both),
	};

	return cmocka_run_group_tests_name("heap", tests, NULL, NULL);
}
