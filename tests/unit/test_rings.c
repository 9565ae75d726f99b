/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records in, heap out: what is claimed, committed and taken, and what each record becomes in the
 * books.
 */
#include "rings_fixture.h"

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

/* By the third thread, to whoever keeps events. */
static void tell(enum agent_kind kind, taddr_t address, uint64_t size, uint32_t node)
{
	produce(kind, address, size, 3, node, 0);
	drain();
}

/* Nodes from the first one on, each the caller of the next. */
static void make_chain(uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++)
		set_node(AGENT_FIRST_NODE + i, 0x401000 + i,
			 i ? AGENT_FIRST_NODE + i - 1 : AGENT_ROOT);
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
	make_chain(2 * RINGS_CALLERS);
	tell(AGENT_FREE, 0x10, 0, AGENT_FIRST_NODE + 1);
	assert_int_equal(last.kind, EVENT_FREE);
	assert_int_equal(last.kernel_tid, 4714);
	assert_int_equal(last.nr_frames, 2);
	assert_int_equal(code_pc(last_frames[0]), 0x401001);
	tell(AGENT_RESIZE_BEGIN, 0x10, 0, AGENT_FIRST_NODE + 2 * RINGS_CALLERS - 1);
	assert_int_equal(last.nr_frames, RINGS_CALLERS);
	tell(AGENT_RESIZE_FAILED, 0x10, 500, NONE);
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
	make_chain(100);
	tell(AGENT_FREE, 0x10, 0x401234, NONE);
	assert_int_equal(last.caller, 0x401234);
	assert_false(last.from_own);
	assert_int_equal(last.size, 0);
	assert_null(last.site);
	assert_int_equal(last.nr_frames, 0);
	tell(AGENT_RESIZE_BEGIN, 0x10, 0x401234 | AGENT_FROM_OWN, AGENT_FIRST_NODE + 99);
	assert_int_equal(last.kind, EVENT_RESIZE_BEGIN);
	assert_int_equal(last.caller, 0x401234);
	assert_true(last.from_own);
	assert_int_equal(last.size, 0);
	assert_int_equal(last.nr_frames, 64); /* each time */
	assert_null(last.site);
	tell(AGENT_FREE, 0x10, 0x401234, AGENT_FIRST_NODE + 1);
	assert_non_null(last.site);
	assert_int_equal(last.nr_frames, 2);
	rings.options.callers = true;
	tell(AGENT_FREE, 0x10, 0x401234, AGENT_FIRST_NODE + 99);
	assert_int_equal(last.nr_frames, RINGS_CALLERS);
	rings.options.free_stacks = true;
	tell(AGENT_FREE, 0x10, 0x401234, AGENT_FIRST_NODE + 99);
	assert_int_equal(last.nr_frames, 64);
}

static uint64_t key_77(void *owner, uint32_t thread)
{
	return 77;
}

static void assert_last(enum event_kind kind, taddr_t address)
{
	assert_int_equal(last.kind, kind);
	assert_int_equal(last.address, address);
}

/* Of a thread whose outer call somebody else watches. */
static void muted_ones_are_inside(void **state)
{
	rings.options.event = keep_event;
	rings.options.key = key_77;
	assert_int_equal(rings_mute(&rings, 77, true), 0);
	drain();
	tell(AGENT_ALLOC, 0x10, 5, NONE);
	assert_last(EVENT_ALLOC_INSIDE, 0x10);
	tell(AGENT_RESIZE_BEGIN, 0x20, 0x401000, NONE);
	assert_last(EVENT_FREE_INSIDE, 0x20);
	tell(AGENT_RESIZE_FAILED, 0x30, 5, NONE);
	assert_last(EVENT_ALLOC_INSIDE, 0x30);
	last.kind = EVENT_FAILED;
	produce(AGENT_RESIZE_DONE, 0x30, 0, 3, NONE, 0);
	tell(AGENT_FAILED, 0, 0, NONE);
	assert_last(EVENT_FAILED, 0x30);
	tell(AGENT_ALLOC_INSIDE, 0, 0, NONE);
	assert_last(EVENT_ALLOC_INSIDE, 0);
	assert_int_equal(rings.stats.refused, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(nothing_is_there), CASE(the_three), CASE(realloc_is_an_alloc_and_a_free),
		CASE(realloc_fails), CASE(realloc_in_two_threads), CASE(stacks_are_paths),
		CASE(long_stacks_are_cut), CASE(a_full_ring_is_shared_out), CASE(laps),
		CASE(laps_start_again), CASE(a_claim_is_waited_for), CASE(holes_are_given_up),
		CASE(a_hole_with_nothing_behind_is_not), CASE(a_late_commit_is_ignored),
		CASE(finish_takes_all), CASE(times_are_never_ahead), CASE(insertions_have_a_lane),
		CASE(callers), CASE(who_frees), CASE(muted_ones_are_inside),
	};

	return cmocka_run_group_tests_name("rings", tests, NULL, NULL);
}
