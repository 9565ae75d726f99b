/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Samples estimate what all calls would have been, without a bias. */
#include <math.h>

#include "agent_calls.h"

static void set_gaps(int64_t mean)
{
	agent_state.sample_bytes = mean;
	for (unsigned i = 0; i < AGENT_GAPS; i++)
		agent_state.gaps[i] =
			1 + (int64_t)((double)mean * -log((i + 0.5) / AGENT_GAPS));
	reset_threads();
	memset(agent_state.sampled, 0, sizeof(agent_state.sampled));
	memset(agent_state.sampled_near, 0, sizeof(agent_state.sampled_near));
	drain();
}

/* Every call is drawn, or none. */
static void draw(bool is_drawn)
{
	for (unsigned i = 0; i < AGENT_GAPS; i++)
		agent_state.gaps[i] = 1;
	agent_state.sample_bytes = 1;
	if (own_thread())
		own_thread()->sample_left = is_drawn ? 1 : INT64_MAX;
}

static double weight(uint64_t size, int64_t mean)
{
	return 1 / -expm1(-(double)size / (double)mean);
}

static void check_unbiased(fixture_function *get, fixture_function *put)
{
	static const uint64_t sizes[] = { 1, 16, 100, 1000, 5000, 100000 };
	double blocks[6] = { 0 }, expected[6] = { 0 };
	uint64_t frees = 0, allocs = 0;

	set_gaps(4096);
	for (uint32_t i = 0; i < 3000000; i++) {
		uint32_t which = next_random(1000) < 995 ? next_random(4) : 4 + next_random(2);
		taddr_t address = 0x7f0000000000 + (uint64_t)(i % 4096) * 64;

		expected[which]++;
		get(sizes[which], address, 0, 0);
		put(address, 0, 0, 0);
		if (i % 1000)
			continue;
		drain();
		for (uint32_t j = 0; j < nr_seen; j++) {
			allocs += seen[j].kind == AGENT_ALLOC;
			frees += seen[j].kind == AGENT_FREE;
			for (int k = 0; k < 6 && seen[j].kind == AGENT_ALLOC; k++)
				if (seen[j].size == sizes[k])
					blocks[k] += weight(seen[j].size, 4096);
		}
	}
	assert_true(allocs > 100000);
	assert_in_range(frees, allocs - 2, allocs + 2);
	for (int i = 1; i < 6; i++)
		assert_true(fabs(blocks[i] / expected[i] - 1) < 0.08);
}

static void samples_are_unbiased(void **state)
{
	check_unbiased(fixture_stub(&kinds[MALLOC], MALLOC, real_identity), stubs[FREE]);
}

static fixture_function *lean_stub(unsigned kind, uint64_t lean, const void *real)
{
	fixture_function *stub;

	fixture.lean = lean;
	stub = fixture_stub(&kinds[kind], kind, real);
	fixture.lean = AGENT_LEAN_NOT;
	return stub;
}

/* What is decided in the stub is decided as it is in C. */
static void lean_samples_are_unbiased(void **state)
{
	if (!agent_state.has_fsbase)
		skip();
	check_unbiased(lean_stub(MALLOC, AGENT_LEAN_ALLOC, real_identity),
		       lean_stub(FREE, AGENT_LEAN_FREE, real_identity));
}

static uint64_t arguments[4];

NOINLINE static uint64_t real_arguments(uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	memcpy(arguments, (uint64_t[]){ a, b, c, d }, sizeof(arguments));
	return DEAD_BLOCK;
}

static void check_lean_calls(fixture_function *get, uint64_t size, uint64_t other)
{
	get(size, other, 0x1111111111111111, 0x2222222222222222);
	assert_int_equal(arguments[0], size);
	assert_int_equal(arguments[1], other);
	assert_int_equal(arguments[2], 0x1111111111111111);
	assert_int_equal(arguments[3], 0x2222222222222222);
}

/* Products, sizes that nobody has, and 0, which counts as 1. */
static void lean_sizes(void **state)
{
	fixture_function *get = lean_stub(MALLOC, AGENT_LEAN_ALLOC, real_arguments);
	fixture_function *array = lean_stub(MALLOC, AGENT_LEAN_ARRAY, real_arguments);

	if (!agent_state.has_fsbase)
		skip();
	set_gaps(1);
	draw(true);
	stubs[MALLOC](1, 0, 0, 0);
	own_thread()->sample_left = 1000;
	check_lean_calls(get, 999, 3);
	assert_int_equal(own_thread()->sample_left, 1);
	own_thread()->sample_left = 1000;
	check_lean_calls(get, 0, 3);
	assert_int_equal(own_thread()->sample_left, 999);
	check_lean_calls(array, 3, 100);
	assert_int_equal(own_thread()->sample_left, 699);
	assert_string_equal(kinds_seen(), "A");
	check_lean_calls(get, 699, 0);
	assert_string_equal(kinds_seen(), "A");
	own_thread()->sample_left = INT64_MAX >> 1;
	check_lean_calls(get, UINT64_MAX, 0);
	check_lean_calls(array, UINT64_MAX / 2, 5);
	assert_in_range(own_thread()->sample_left, 1, INT64_MAX >> 1);
}

static fixture_function *inner_get;

static struct agent_call under_way[AGENT_CALLS];
static uint32_t nr_under_way;

NOINLINE static uint64_t real_under_way(uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	nr_under_way = own_thread()->nr_calls;
	memcpy(under_way, own_thread()->calls, sizeof(under_way));
	return DEAD_BLOCK;
}

/* musl's calloc calls malloc. */
NOINLINE static uint64_t nesting_identity(uint64_t size, uint64_t address, uint64_t c, uint64_t d)
{
	return inner_get(size, address, 0, 0);
}

static void check_nested(fixture_function *outer, fixture_function *inner)
{
	double estimate = 0;
	uint32_t nr = 300000;

	inner_get = inner;
	set_gaps(1000);
	for (uint32_t i = 0; i < nr; i++) {
		taddr_t address = 0x7f0000000000 + (uint64_t)(i % 4096) * 64;

		outer(100, address, 0, 0);
		stubs[FREE](address, 0, 0, 0);
		if (i % 1000)
			continue;
		drain();
		for (uint32_t j = 0; j < nr_seen; j++) {
			assert_true(seen[j].kind == AGENT_FREE || seen[j].function == OTHER);
			if (seen[j].kind == AGENT_ALLOC)
				estimate += weight(100, 1000);
		}
	}
	assert_true(fabs(estimate / nr - 1) < 0.05);
	assert_int_equal(own_thread()->nr_calls, 0);
}

static void nested_samples_count_once(void **state)
{
	fixture_function *inner = fixture_stub(&kinds[MALLOC], MALLOC, real_identity);

	check_nested(fixture_stub(&kinds[OTHER], OTHER, nesting_identity), inner);
	if (!agent_state.has_fsbase)
		skip();
	inner = lean_stub(MALLOC, AGENT_LEAN_ALLOC, real_identity);
	check_nested(lean_stub(OTHER, AGENT_LEAN_ALLOC | AGENT_LEAN_HIDES, nesting_identity), inner);
}

/* No call is drawn; each has found those before it hidden, or left for good. */
static void lean_calls_under_way(void **state)
{
	static const struct agent_call left = { .sp = 4096, .function = FREE };
	fixture_function *outer = lean_stub(OTHER, AGENT_LEAN_ALLOC | AGENT_LEAN_HIDES,
					    nesting_identity);

	if (!agent_state.has_fsbase)
		skip();
	set_gaps(1);
	draw(true);
	stubs[MALLOC](1, 0, 0, 0);
	assert_string_equal(kinds_seen(), "A");
	inner_get = lean_stub(OTHER, AGENT_LEAN_ALLOC | AGENT_LEAN_HIDES, real_under_way);
	for (uint32_t nr = 0; nr <= AGENT_CALLS; nr++) {
		struct agent_thread *thread = own_thread();

		draw(false);
		for (uint32_t i = 0; i < nr; i++)
			thread->calls[i] = left;
		thread->nr_calls = nr;
		outer(100, 0, 0, 0);
		assert_int_equal(nr_under_way, nr + 2 < AGENT_CALLS ? nr + 2 : AGENT_CALLS);
		assert_int_equal(under_way[nr_under_way - 1].function, OTHER);
		assert_int_equal(under_way[nr_under_way - 1].tell, 0);
		assert_true(under_way[nr_under_way - 1].sp < under_way[nr_under_way - 2].sp);
		assert_int_equal(thread->nr_calls, nr < AGENT_CALLS - 1 ? nr : AGENT_CALLS - 2);
		thread->nr_calls = 0;
	}
	assert_string_equal(kinds_seen(), "");
}

static void check_resizes(fixture_function *resize)
{
	taddr_t old = DEAD_BLOCK, new = DEAD_BLOCK + 64;

	result = old;
	set_gaps(1);
	draw(true);
	stubs[MALLOC](1, 0, 0, 0);
	assert_string_equal(kinds_seen(), "A");
	result = new;
	draw(false);
	resize(old, 5, 0, 0);			/* sampled to not sampled */
	assert_string_equal(kinds_seen(), "BD");
	stubs[FREE](new, 0, 0, 0);
	assert_string_equal(kinds_seen(), "");
	resize(old, 5, 0, 0);			/* neither */
	assert_string_equal(kinds_seen(), "");
	draw(true);
	resize(old, 5, 0, 0);			/* not sampled to sampled */
	assert_string_equal(kinds_seen(), "A");
	check_seen(0, AGENT_ALLOC, new, 5);
	result = old;
	resize(new, 6, 0, 0);			/* both */
	assert_string_equal(kinds_seen(), "BDA");
	result = 0;
	resize(old, 6, 0, 0);			/* fails: it stays sampled */
	assert_string_equal(kinds_seen(), "BX");
	draw(false);
	resize(old, 6, 0, 0);
	assert_string_equal(kinds_seen(), "BX");
	resize(old, 0, 0, 0);
	assert_string_equal(kinds_seen(), "BD");
	stubs[FREE](old, 0, 0, 0);
	assert_string_equal(kinds_seen(), "");
	draw(true);
	resize(old, 6, 0, 0);			/* not sampled, fails */
	assert_string_equal(kinds_seen(), "N");
	resize(old, 0, 0, 0);
	assert_string_equal(kinds_seen(), "");
	assert_int_equal(own_thread()->nr_calls, 0);
}

static void sampled_resizes(void **state)
{
	check_resizes(stubs[REALLOC]);
	if (!agent_state.has_fsbase)
		skip();
	check_resizes(lean_stub(REALLOC, AGENT_LEAN_RESIZE, real));
	check_resizes(lean_stub(REALLOC, AGENT_LEAN_RESIZE | AGENT_LEAN_HIDES, real));
}

static void more_samples_than_places(void **state)
{
	fixture_function *get = fixture_stub(&kinds[MALLOC], MALLOC, real_identity);
	uint64_t allocs = 0, frees = 0, nr = AGENT_SAMPLED * 2;

	set_gaps(1);
	draw(true);
	for (uint64_t i = 0; i < 2 * nr; i++) {
		if (i < nr)
			get(1, 0x7f0000000000 + i * 16, 0, 0);
		else
			stubs[FREE](0x7f0000000000 + (i - nr) * 16, 0, 0, 0);
		if (i % 1000 && i != 2 * nr - 1)
			continue;
		drain();
		for (uint32_t j = 0; j < nr_seen; j++) {
			allocs += seen[j].kind == AGENT_ALLOC;
			frees += seen[j].kind == AGENT_FREE;
		}
	}
	assert_int_equal(allocs, frees);
	assert_true(allocs > AGENT_SAMPLED / 2 && allocs <= AGENT_SAMPLED);
	assert_int_equal(agent_state.shared->dropped, nr - allocs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(samples_are_unbiased),
		TEST(lean_samples_are_unbiased),
		TEST(lean_sizes),
		TEST(nested_samples_count_once),
		TEST(lean_calls_under_way),
		TEST(sampled_resizes),
		TEST(more_samples_than_places),
	};

	return cmocka_run_group_tests(tests, calls_start, calls_stop);
}
