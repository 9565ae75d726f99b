/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Wrong frees: what is one, and above all what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../tracer/heap/heap.h"

#define THREAD 100
#define OTHER 101

enum { MALLOC = 1, FREE, DELETE, REALLOC };

#define CALLER 0x401000

static struct heap heap;
static uint64_t now_ns;

static int setup(void **state)
{
	now_ns = 0;
	return heap_init(&heap);
}

static int teardown(void **state)
{
	heap_deinit(&heap);
	return 0;
}

static void alloc(taddr_t address)
{
	static const code_t stack[] = { 0x402000, 0x403000 };

	heap_event(&heap, &(struct event){
		.kind = EVENT_ALLOC, .function = MALLOC, .tid = THREAD, .address = address, .size = 24,
		.time_ns = ++now_ns, .stack = stack, .nr_frames = 2,
	});
}

static void release_from(taddr_t address, taddr_t caller, uint32_t function, pid_t tid)
{
	heap_event(&heap, &(struct event){
		.kind = EVENT_FREE, .function = function, .tid = tid, .address = address,
		.caller = caller, .time_ns = ++now_ns,
	});
}

static void release(taddr_t address)
{
	release_from(address, CALLER, FREE, THREAD);
}

static void tell(enum event_kind kind, taddr_t old_address, taddr_t address, uint64_t size)
{
	heap_event(&heap, &(struct event){
		.kind = kind, .function = REALLOC, .tid = THREAD, .old_address = old_address,
		.address = address, .size = size, .caller = CALLER, .time_ns = ++now_ns,
	});
}

/* What a realloc() tells before, and `end` after it. */
static void resize(enum event_kind end, taddr_t old_address, taddr_t address, uint64_t size)
{
	tell(EVENT_RESIZE_BEGIN, old_address, 0, 0);
	tell(end, old_address, address, size);
}

/* By the C library, called from a function with this module. */
static void release_own(taddr_t address, uint32_t module)
{
	const code_t stack[] = { code_make(3, 0x10), code_make(3, 0x20), code_make(module, 0x30) };

	heap_event(&heap, &(struct event){
		.kind = EVENT_FREE, .function = FREE, .tid = THREAD, .address = address,
		.caller = 0x10, .from_own = true, .stack = stack, .nr_frames = 3,
		.time_ns = ++now_ns,
	});
}

static const struct wrong_free *only(void)
{
	assert_int_equal(heap.wrong.nr, 1);
	return &heap.wrong.items[0];
}

static void a_double_free(void **state)
{
	const struct wrong_free *found;

	alloc(0x10);
	release(0x10);
	release_from(0x10, CALLER + 8, FREE, OTHER);
	found = only();
	assert_int_equal(found->count, 1);
	assert_int_equal(found->free.address, 0x10);
	assert_int_equal(found->free.caller, CALLER + 8);
	assert_int_equal(found->free.tid, OTHER);
	assert_int_equal(found->free.time_ns, 3);
	assert_int_equal(found->free.site, 0);
	assert_int_equal(found->first.free.address, 0x10);
	assert_int_equal(found->first.free.caller, CALLER);
	assert_int_equal(found->first.free.tid, THREAD);
	assert_int_equal(found->first.free.time_ns, 2);
	assert_int_equal(found->first.size, 24);
	assert_int_equal(found->first.born_ns, 1);
	assert_int_equal(sites_get(heap.sites, found->first.site - 1)->function, MALLOC);
	assert_int_equal(heap.totals.unknown_frees, 1);
	assert_int_equal(heap.totals.frees, 1);
}

static void allocated_again_is_none(void **state)
{
	for (int i = 0; i < 3; i++) {
		alloc(0x10);
		release(0x10);
	}
	assert_int_equal(heap.wrong.nr, 0);
}

static void stacks_of_frees(void **state)
{
	code_t stack[] = { 0x404000, 0x405000 };
	struct event event = {
		.kind = EVENT_FREE, .function = FREE, .address = 0x10, .stack = stack, .nr_frames = 2,
	};

	heap.keeps_free_stacks = true;
	alloc(0x10);
	heap_event(&heap, &event);
	stack[1]++;
	heap_event(&heap, &event);
	heap_event(&heap, &event);
	assert_int_equal(only()->count, 2);
	assert_int_not_equal(only()->free.site, only()->first.free.site);
	assert_int_equal(stacks_get(heap.stacks, sites_get(heap.sites, only()->free.site - 1)->stack)
			 .frames[1], 0x405001);
	assert_int_equal(sites_get(heap.sites, only()->free.site - 1)->allocs, 0);
}

static void contexts(void **state)
{
	for (int i = 1; i <= 10; i++) {
		alloc(0x10);
		release_from(0x10, CALLER + (taddr_t)(i & 1), FREE, THREAD);
		release(0x10);
	}
	assert_int_equal(heap.wrong.nr, 2);
	assert_int_equal(heap.wrong.items[0].count, 5);
	assert_int_equal(heap.wrong.items[1].count, 5);
	assert_int_equal(heap.wrong.items[0].first.free.caller, CALLER + 1);
}

static void so_many_contexts(void **state)
{
	alloc(0x10);
	release(0x10);
	for (uint32_t i = 0; i < WRONG_CONTEXTS + 5; i++)
		release_from(0x10, CALLER + i, FREE, THREAD);
	release(0x10);
	assert_int_equal(heap.wrong.nr, WRONG_CONTEXTS);
	assert_int_equal(heap.wrong.nr_lost, 5);
	assert_int_equal(heap.wrong.items[0].count, 2);
}

static void a_pointer_that_is_no_block(void **state)
{
	alloc(0x10);
	release(0x18);
	assert_int_equal(only()->first.free.address, 0);
	assert_int_equal(only()->free.address, 0x18);
	release(0x18);
	assert_int_equal(only()->count, 2);
}

static void from_before_is_none(void **state)
{
	heap_begin_late(&heap, false);
	release(0x10);
	assert_int_equal(heap.wrong.nr, 0);
	release(0x10);
	assert_int_equal(only()->first.free.address, 0x10);
	assert_int_equal(only()->first.site, 0);
}

/* A call under way at the attach may have had the block in between. */
static void soon_after_the_attach_is_none(void **state)
{
	heap_begin_late(&heap, true);
	alloc(0x10);
	release(0x10);
	now_ns = WRONG_SETTLE_NS + 100;
	release(0x10);
	assert_int_equal(heap.wrong.nr, 0);
	release(0x10);
	assert_int_equal(heap.wrong.nr, 1);
}

static void before_a_gap_is_none(void **state)
{
	alloc(0x10);
	release(0x10);
	heap_disown(&heap, ++now_ns);
	now_ns = 2 * WRONG_SETTLE_NS;
	release(0x10);
	release(0x20);
	assert_int_equal(heap.wrong.nr, 0);
	assert_false(heap.wrong.is_whole);
	assert_int_equal(heap_restart(&heap), 0);
	assert_true(heap.wrong.is_whole);
	release(0x10);
	assert_int_equal(heap.wrong.nr, 1);
}

static void resized(void **state)
{
	alloc(0x10);
	resize(EVENT_RESIZE_END, 0x10, 0x20, 50);
	release(0x10);
	assert_true(only()->first.free.resizes);
	assert_false(only()->free.resizes);
	release(0x20);
	tell(EVENT_RESIZE_BEGIN, 0x20, 0, 0);
	assert_int_equal(heap.wrong.nr, 2);
	assert_true(heap.wrong.items[1].free.resizes);
}

static void resized_in_place_is_none(void **state)
{
	alloc(0x10);
	resize(EVENT_RESIZE_END, 0x10, 0x10, 50);
	release(0x10);
	assert_int_equal(heap.wrong.nr, 0);
}

static void resize_that_fails_is_none(void **state)
{
	alloc(0x10);
	resize(EVENT_RESIZE_END, 0x10, 0, 50);
	release(0x10);
	alloc(0x20);
	resize(EVENT_RESIZE_LOST, 0x20, 0, 0);
	release(0x20);
	assert_int_equal(heap.wrong.nr, 0);
}

static void resize_under_way_is_none(void **state)
{
	alloc(0x10);
	tell(EVENT_RESIZE_BEGIN, 0x10, 0, 0);
	release_from(0x10, CALLER, FREE, OTHER);
	assert_int_equal(heap.wrong.nr, 0);
}

static void inside_of_other_calls_is_none(void **state)
{
	tell(EVENT_ALLOC_INSIDE, 0, 0x10, 0);
	release(0x10);
	assert_int_equal(heap.wrong.nr, 0);
	alloc(0x20);
	release(0x20);
	tell(EVENT_ALLOC_INSIDE, 0, 0x20, 0);
	release(0x20);
	assert_int_equal(heap.wrong.nr, 0);
	alloc(0x30);
	tell(EVENT_FREE_INSIDE, 0, 0x30, 0);
	tell(EVENT_ALLOC_INSIDE, 0, 0x30, 0);
	release(0x30);
	assert_int_equal(heap.wrong.nr, 0);
	assert_false(heap.wrong.is_blind);
	release(0x30);
	assert_int_equal(heap.wrong.nr, 1);
	tell(EVENT_ALLOC_INSIDE, 0, 0, 0);
	assert_true(heap.wrong.is_blind);
}

/* An outer call has its block from an inner one. */
static void inside_and_outside(void **state)
{
	tell(EVENT_ALLOC_INSIDE, 0, 0x10, 0);
	alloc(0x10);
	release(0x10);
	tell(EVENT_FREE_INSIDE, 0, 0x10, 0);
	release(0x10);
	assert_int_equal(only()->first.size, 24);
	assert_int_equal(heap.wrong.inside.nr_live, 0);
}

/* delete, and the free inside of it, if nobody has seen that it is one. */
static void other_functions_are_none(void **state)
{
	alloc(0x10);
	release_from(0x10, CALLER, DELETE, THREAD);
	release(0x10);
	assert_int_equal(heap.wrong.nr, 0);
	release_from(0x10, CALLER, DELETE, THREAD);
	assert_int_equal(heap.wrong.nr, 1);
}

static void what_the_allocator_frees_is_none(void **state)
{
	alloc(0x10);
	release(0x10);
	release_own(0x10, 3);
	release_own(0x20, 3);
	assert_int_equal(heap.wrong.nr, 0);
	assert_int_equal(heap.own_frees, 2);
	release_own(0x10, 1);
	assert_int_not_equal(only()->free.site, 0);
}

static void pools_are_none(void **state)
{
	alloc(0x10 | ADDRESS_POOL);
	release(0x10 | ADDRESS_POOL);
	release(0x10 | ADDRESS_POOL);
	assert_int_equal(heap.wrong.nr, 0);
	alloc(0x20);
	release(0x20 | ADDRESS_POOL);
	assert_int_equal(heap.wrong.nr, 0);
}

/* By an allocator that did not notice: both owners are right to free it. */
static void handed_out_twice(void **state)
{
	alloc(0x10);
	release(0x10);
	release(0x10);
	alloc(0x10);
	alloc(0x10);
	assert_int_equal(heap.totals.replaced_blocks, 1);
	assert_int_equal(heap.missed_frees, 0);
	release(0x10);
	release_from(0x10, CALLER + 1, FREE, OTHER);
	assert_int_equal(only()->count, 1);
	alloc(0x20);
	alloc(0x20);
	assert_int_equal(heap.missed_frees, 1);
}

static void samples_tell_nothing(void **state)
{
	heap_sample(&heap, 1000);
	alloc(0x10);
	release(0x10);
	release(0x10);
	assert_int_equal(heap.wrong.nr, 0);
}

static void merged(void **state)
{
	struct heap other = heap;

	assert_int_equal(heap_init(&heap), 0);
	alloc(0x1000);
	release_from(0x1000, CALLER + 1, FREE, THREAD);
	release_from(0x1000, CALLER + 1, FREE, THREAD);
	release_own(0x1000, 1);
	heap_merge(&other, &heap);
	heap_deinit(&heap);
	heap = other;
	assert_int_equal(heap.wrong.nr, 2);
	assert_int_equal(heap.wrong.items[0].first.free.caller, CALLER + 1);
	assert_int_equal(sites_get(heap.sites, heap.wrong.items[0].first.site - 1)->function, MALLOC);
	assert_int_equal(sites_get(heap.sites, heap.wrong.items[1].free.site - 1)->function, FREE);
}

/* The history forgets: a later free of it is then that of an unknown pointer. */
static void long_ago(void **state)
{
	struct freed_table table;
	struct freed freed = { .size = 1 };
	uint32_t nr = 0;

	assert_int_equal(freed_init(&table), 0);
	for (taddr_t i = 1; i <= 4 * FREED_PLACES; i++) {
		freed.free.address = 16 * i;
		freed_note(&table, &freed);
		assert_int_equal(freed_find(&table, 16 * i)->free.address, 16 * i);
	}
	for (taddr_t i = 1; i <= 4 * FREED_PLACES; i++)
		nr += freed_find(&table, 16 * i) != NULL;
	assert_in_range(nr, FREED_PLACES / 2, FREED_PLACES);
	assert_null(freed_find(&table, 0));
	freed_forget(&table, 64 * FREED_PLACES);
	assert_null(freed_find(&table, 64 * FREED_PLACES));
	freed_forget_all(&table);
	for (taddr_t i = 1; i <= 4 * FREED_PLACES; i++)
		assert_null(freed_find(&table, 16 * i));
	freed_deinit(&table);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_double_free),
		TEST(allocated_again_is_none),
		TEST(stacks_of_frees),
		TEST(contexts),
		TEST(so_many_contexts),
		TEST(a_pointer_that_is_no_block),
		TEST(from_before_is_none),
		TEST(soon_after_the_attach_is_none),
		TEST(before_a_gap_is_none),
		TEST(resized),
		TEST(resized_in_place_is_none),
		TEST(resize_that_fails_is_none),
		TEST(resize_under_way_is_none),
		TEST(inside_of_other_calls_is_none),
		TEST(inside_and_outside),
		TEST(other_functions_are_none),
		TEST(what_the_allocator_frees_is_none),
		TEST(pools_are_none),
		TEST(handed_out_twice),
		TEST(samples_tell_nothing),
		TEST(merged),
		TEST(long_ago),
	};

	return cmocka_run_group_tests_name("wrong", tests, NULL, NULL);
}
