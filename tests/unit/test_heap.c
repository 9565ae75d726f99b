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
	event(EVENT_RESIZE_BEGIN, THREAD, 0x10, 0, 40);
	event(EVENT_RESIZE_END, THREAD, 0x10, 0x10, 40);
	assert_totals(2, 1, 1, 40);
	assert_int_equal(heap.totals.replaced_blocks, 0);
}

static void resize_fails(void **state)
{
	alloc(0x10, 10);
	event(EVENT_RESIZE_BEGIN, THREAD, 0x10, 0, 1 << 30);
	event(EVENT_RESIZE_END, THREAD, 0x10, 0, 1 << 30);
	assert_totals(1, 0, 1, 10);
	assert_int_equal(heap.totals.failed_allocs, 1);
	assert_true(is_live(0x10));
}

static void resize_to_nothing_frees(void **state)
{
	alloc(0x10, 10);
	event(EVENT_RESIZE_BEGIN, THREAD, 0x10, 0, 0);
	event(EVENT_RESIZE_END, THREAD, 0x10, 0, 0);
	assert_totals(1, 1, 0, 0);
}

static void resize_of_unknown(void **state)
{
	event(EVENT_RESIZE_BEGIN, THREAD, 0x10, 0, 40);
	event(EVENT_RESIZE_END, THREAD, 0x10, 0x50, 40);
	assert_totals(1, 0, 1, 40);
	assert_int_equal(heap.totals.unknown_frees, 1);
	event(EVENT_RESIZE_BEGIN, THREAD, 0x20, 0, 40);
	event(EVENT_RESIZE_END, THREAD, 0x20, 0, 40);
	assert_int_equal(heap.totals.unknown_frees, 1);
	assert_int_equal(heap.totals.failed_allocs, 1);
}

static void resize_of_null_is_an_allocation(void **state)
{
	event(EVENT_RESIZE_BEGIN, THREAD, 0, 0, 40);
	event(EVENT_RESIZE_END, THREAD, 0, 0x50, 40);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_three, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_allocated_counts, setup, teardown),
		cmocka_unit_test_setup_teardown(unknown_free, setup, teardown),
		cmocka_unit_test_setup_teardown(failed, setup, teardown),
		cmocka_unit_test_setup_teardown(truncated, setup, teardown),
		cmocka_unit_test_setup_teardown(missed_free, setup, teardown),
		cmocka_unit_test_setup_teardown(resize_moves, setup, teardown),
		cmocka_unit_test_setup_teardown(resize_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(resize_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(resize_to_nothing_frees, setup, teardown),
		cmocka_unit_test_setup_teardown(resize_of_unknown, setup, teardown),
		cmocka_unit_test_setup_teardown(resize_of_null_is_an_allocation, setup, teardown),
		cmocka_unit_test_setup_teardown(old_address_is_given_away, setup, teardown),
		cmocka_unit_test_setup_teardown(resize_lost, setup, teardown),
		cmocka_unit_test_setup_teardown(resize_lost_where_another_lives, setup, teardown),
		cmocka_unit_test_setup_teardown(many_are_lost, setup, teardown),
		cmocka_unit_test_setup_teardown(a_known_site_has_its_cell, setup, teardown),
		cmocka_unit_test_setup_teardown(settle, setup, teardown),
		cmocka_unit_test_setup_teardown(restart, setup, teardown),
		cmocka_unit_test_setup_teardown(merged_halves_are_the_whole, setup, teardown),
	};

	return cmocka_run_group_tests_name("heap", tests, NULL, NULL);
}
