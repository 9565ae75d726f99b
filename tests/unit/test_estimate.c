/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What samples say of everything: without a bias, and with errors as large as they claim to be.
 * Blocks are drawn as the agent draws them, with seeds that are fixed: the outcome is always the
 * same one.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../tracer/base/hash.h"
#include "../../tracer/heap/heap.h"
#include "../../tracer/probe/gaps.h"

#define MEAN 4096
#define TRIALS 400
#define BLOCKS 3000
#define MS 1000000ull

static uint64_t counter;
static int64_t gaps[AGENT_GAPS], left;

static uint64_t next_random(void)
{
	return hash_u64(++counter * 0x9e3779b97f4a7c15);
}

/* As agent_sample(). */
static bool draw(uint64_t size)
{
	left -= (int64_t)(size | !size);
	if (left > 0)
		return false;
	left = gaps[next_random() % AGENT_GAPS];
	return true;
}

static void start(uint64_t seed, int64_t mean)
{
	gaps_fill(gaps, mean, seed);
	left = gaps[next_random() % AGENT_GAPS];
}

static void one_sample(void **state)
{
	struct estimate one = estimate_of(1000000, 1024);

	assert_int_equal(one.blocks, ESTIMATE_UNIT);	/* surely drawn: it stands for itself */
	assert_int_equal(one.bytes, 1000000);
	assert_int_equal(estimate_blocks_error(&one), 0);
	assert_int_equal(estimate_bytes_error(&one), 0);
	one = estimate_of(1024, 1024);			/* p = 1 - 1/e */
	assert_int_equal(one.blocks, (uint64_t)(ESTIMATE_UNIT * 1.5819767));
	assert_int_equal(one.bytes, 1620);
	assert_int_equal(estimate_bytes_error(&one), 983);
	one = estimate_of(0, 1 << 20);			/* as one of a byte */
	assert_int_equal(estimate_whole(one.blocks), (1 << 20) + 1);
	assert_int_equal(one.bytes, 0);
	assert_int_equal(estimate_blocks_error(&one), 1 << 20);
	one = estimate_of(1, 1 << 30);
	assert_in_range(one.bytes, 1 << 30, (1 << 30) + 1);
	one = estimate_of(UINT64_C(1) << 47, 1024);
	assert_int_equal(one.bytes, UINT64_C(1) << 47);
}

/* Whatever comes and goes, nothing of it is left. */
static void taken_back_exactly(void **state)
{
	struct estimate sum = { 0 }, one;
	static uint64_t sizes[10000];

	for (size_t i = 0; i < 10000; i++) {
		sizes[i] = next_random() % (UINT64_C(1) << next_random() % 30);
		one = estimate_of(sizes[i], 1 << 19);
		estimate_add(&sum, &one);
	}
	assert_true(sum.bytes > 10000ull << 19);
	for (size_t i = 10000; i--;) {
		one = estimate_of(sizes[i * 7919 % 10000], 1 << 19);
		estimate_take(&sum, &one);
	}
	assert_int_equal(sum.blocks | sum.bytes, 0);
	assert_true(!sum.blocks_square && !sum.bytes_square);
}

static void gaps_are_exponential(void **state)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		double sum = 0, beyond = 0;

		gaps_fill(gaps, 100000, seed * seed);
		for (unsigned i = 0; i < AGENT_GAPS; i++) {
			assert_true(gaps[i] >= 1);
			sum += (double)gaps[i];
			beyond += gaps[i] > 100000;
		}
		assert_true(fabs(sum / AGENT_GAPS / 100000 - 1) < 0.005);
		assert_true(fabs(beyond / AGENT_GAPS - exp(-1)) < 0.001);
	}
	gaps_fill(gaps, 1, 5);
	for (unsigned i = 0; i < AGENT_GAPS; i++)
		assert_in_range(gaps[i], 1, 64);
}

static void seeds_differ(void **state)
{
	assert_true(gaps_seed() != gaps_seed());
}

static uint64_t size_of(unsigned i)
{
	return i % 100 == 0 ? 20000 : i % 10 == 0 ? 3000 : i % 7 * 40 + 40;
}

/* Errors of all trials, in standard errors: as of a normal distribution. */
struct errors {
	double sum, squares, within;
};

static void note(struct errors *errors, double found, double expected, double error)
{
	double z = (found - expected) / error;

	errors->sum += z;
	errors->squares += z * z;
	errors->within += fabs(z) < 1;
}

/* 68 % are within one standard error. */
static void assert_honest(const struct errors *errors)
{
	assert_true(fabs(errors->sum / TRIALS) < 0.25);
	assert_true(errors->squares / TRIALS > 0.75 && errors->squares / TRIALS < 1.3);
	assert_true(errors->within / TRIALS > 0.58 && errors->within / TRIALS < 0.78);
}

static void unbiased_with_honest_errors(void **state)
{
	double all_bytes = 0, bytes = 0, blocks = 0;
	struct errors of_bytes = { 0 }, of_blocks = { 0 };

	for (unsigned i = 0; i < BLOCKS; i++)
		all_bytes += (double)size_of(i);
	for (uint64_t trial = 0; trial < TRIALS; trial++) {
		struct estimate sum = { 0 };

		start(trial, MEAN);
		for (unsigned i = 0; i < BLOCKS; i++) {
			struct estimate one = estimate_of(size_of(i), MEAN);

			if (draw(size_of(i)))
				estimate_add(&sum, &one);
		}
		bytes += (double)sum.bytes;
		blocks += (double)sum.blocks / ESTIMATE_UNIT;
		note(&of_bytes, (double)sum.bytes, all_bytes, (double)estimate_bytes_error(&sum));
		note(&of_blocks, (double)sum.blocks / ESTIMATE_UNIT, BLOCKS,
		     (double)estimate_blocks_error(&sum));
	}
	assert_true(fabs(bytes / TRIALS / all_bytes - 1) < 0.01);
	assert_true(fabs(blocks / TRIALS / BLOCKS - 1) < 0.02);
	assert_honest(&of_bytes);
	/* Of them most are in the few small ones that are drawn: a skew distribution. */
	assert_true(of_blocks.squares / TRIALS > 0.6 && of_blocks.squares / TRIALS < 2);
}

/* Of threads that allocate next to nothing each, all together. */
static void many_short_threads(void **state)
{
	struct estimate sum = { 0 }, one = estimate_of(100, MEAN);
	uint64_t nr = 200000;

	start(11, MEAN);
	for (uint64_t i = 0; i < nr; i++) {
		if (i % 3 == 0)
			left = gaps[next_random() % AGENT_GAPS];
		if (draw(100))
			estimate_add(&sum, &one);
	}
	assert_true(fabs((double)sum.bytes - (double)nr * 100) <
		    5 * (double)estimate_bytes_error(&sum));
}

/* --- the heap --- */

static struct heap heap;

static int setup(void **state)
{
	counter = 0;
	if (heap_init(&heap))
		return -1;
	heap_sample(&heap, MEAN);
	return 0;
}

static int teardown(void **state)
{
	heap_deinit(&heap);
	return 0;
}

static void tell(enum event_kind kind, taddr_t address, uint64_t size, uint64_t now_ns,
		 code_t where)
{
	heap_event(&heap, &(struct event){ .kind = kind, .address = address, .size = size,
					   .time_ns = now_ns, .stack = &where, .nr_frames = 1 });
}

static void a_heap_of_samples(void **state)
{
	const struct site_estimate *site;

	tell(EVENT_ALLOC, 0x10, 100, 1, 0x1000);
	tell(EVENT_ALLOC, 0x20, 100, 2, 0x1000);
	tell(EVENT_ALLOC, 0x30, 50000, 3, 0x2000);
	tell(EVENT_FREE, 0x20, 0, 4, 0);
	assert_int_equal(heap.totals.live_blocks, 2);	/* those are samples */
	assert_int_equal(heap.totals.live_bytes, 50100);
	site = sites_estimate(heap.sites, 0);
	assert_int_equal(site->live.bytes, estimate_of(100, MEAN).bytes);
	assert_int_equal(site->allocated.blocks, 2 * estimate_of(100, MEAN).blocks);
	assert_int_equal(site->peak_bytes, 2 * site->live.bytes);
	assert_int_equal(heap.estimate.live.bytes,
			 site->live.bytes + sites_estimate(heap.sites, 1)->live.bytes);
	tell(EVENT_ALLOC, 0x10, 60, 5, 0x1000);
	assert_int_equal(heap.replaced_blocks, estimate_of(100, MEAN).blocks);
	tell(EVENT_FREE, 0x10, 0, 6, 0);
	tell(EVENT_FREE, 0x30, 0, 7, 0);
	assert_int_equal(heap.estimate.live.bytes | heap.estimate.live.blocks, 0);
	assert_int_equal(sites_estimate(heap.sites, 0)->live.blocks, 0);
	assert_int_equal(heap_restart(&heap), 0);
	assert_int_equal(heap.sample_bytes, MEAN);
	assert_int_equal(heap.estimate.allocated.blocks, 0);
}

static void no_sampling_no_estimates(void **state)
{
	heap_sample(&heap, 0);
	tell(EVENT_ALLOC, 0x10, 100, 1, 0x1000);
	assert_null(sites_estimate(heap.sites, 0));
	assert_int_equal(heap.estimate.live.blocks, 0);
}

/* So many samples in each of four quarters. */
static bool grows(unsigned nr)
{
	for (unsigned i = 0; i < 4 * nr; i++)
		tell(EVENT_ALLOC, 0x10 + i, 100, 1 + i * 1000 * MS / nr, 0x1000);
	heap_tick(&heap, 4000 * MS);
	return sites_growing(heap.sites, 0);
}

static void a_few_samples_do_not_grow(void **state)
{
	assert_false(grows(3));
}

static void many_samples_grow(void **state)
{
	assert_true(grows(8));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(one_sample), CASE(taken_back_exactly), CASE(gaps_are_exponential),
		CASE(seeds_differ), CASE(unbiased_with_honest_errors), CASE(many_short_threads),
		CASE(a_heap_of_samples), CASE(no_sampling_no_estimates),
		CASE(a_few_samples_do_not_grow), CASE(many_samples_grow),
	};

	return cmocka_run_group_tests_name("estimate", tests, NULL, NULL);
}
