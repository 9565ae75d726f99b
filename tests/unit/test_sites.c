/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is counted at a site, and which sites grow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../tracer/heap/sites.h"

#define MS 1000000ull

static struct sites *sites;

static int setup(void **state)
{
	return sites_create(&sites);
}

static int teardown(void **state)
{
	sites_destroy(sites);
	return 0;
}

static uint32_t intern(uint32_t function, uint32_t stack)
{
	uint32_t id = UINT32_MAX;

	assert_int_equal(sites_intern(sites, function, stack, &id), 0);
	return id;
}

static void one_site_a_pair(void **state)
{
	assert_int_equal(intern(0, 31), 0);
	assert_int_equal(intern(1, 0), 1);
	assert_int_equal(intern(0, 31), 0);
	for (uint32_t i = 0; i < 5000; i++)
		assert_int_equal(intern(7, i), 2 + i);
	assert_int_equal(intern(7, 4999), 5001);
	assert_int_equal(sites_count(sites), 5002);
}

static void assert_counts(const struct site *site, uint64_t allocs, uint64_t frees,
			  uint64_t live_bytes)
{
	assert_int_equal(site->allocs, allocs);
	assert_int_equal(site->frees, frees);
	assert_int_equal(site->live_blocks, allocs - frees);
	assert_int_equal(site->live_bytes, live_bytes);
}

static void counts(void **state)
{
	const struct site *site;

	intern(0, 0);
	sites_alloc(sites, 0, 10, 5);
	sites_alloc(sites, 0, 20, 6);
	sites_free(sites, 0, 10, 5, 25);
	sites_alloc(sites, 0, 1, 40);
	sites_free(sites, 0, 1, 40, 44);
	site = sites_get(sites, 0);
	assert_counts(site, 3, 2, 20);
	assert_int_equal(site->peak_bytes, 30);
	assert_int_equal(site->first_ns, 5);
	assert_int_equal(site->last_ns, 40);
	assert_int_equal(site->lifetime_min_ns, 4);
	assert_int_equal(site->lifetime_max_ns, 20);
	assert_int_equal(site->lifetime_sum_ns, 24);
}

static void a_clock_behind_is_no_lifetime(void **state)
{
	intern(0, 0);
	sites_alloc(sites, 0, 10, 100);
	sites_free(sites, 0, 10, 100, 99);
	assert_int_equal(sites_get(sites, 0)->lifetime_max_ns, 0);
}

/* What is counted late is there for whoever looks, and for an instant. */
static void nothing_waits_unseen(void **state)
{
	for (uint32_t i = 0; i < 300; i++)
		intern(0, i);
	for (uint32_t i = 0; i < 3000; i++) {
		sites_alloc(sites, i % 300, 7, i);
		assert_int_equal(sites_get(sites, i % 300)->live_bytes, 7 * (i / 300 + 1));
	}
	for (uint32_t i = 0; i < 300; i++)
		sites_free(sites, i, 7, i, i + 5);
	sites_tick(sites, 250 * MS);
	for (uint32_t i = 0; i < 300; i++) {
		assert_int_equal(sites_instant_bytes(sites, i)[0], 63);
		assert_int_equal(sites_get(sites, i)->frees, 1);
		assert_int_equal(sites_get(sites, i)->lifetime_sum_ns, 5);
	}
}

static void instants_halve(void **state)
{
	uint64_t distance;

	intern(0, 0);
	assert_int_equal(sites_instants(sites, &distance), 0);
	for (uint64_t i = 1; i <= 18; i++) {
		sites_alloc(sites, 0, 1, i);
		sites_tick(sites, i * 250 * MS);
	}
	assert_int_equal(sites_instants(sites, &distance), 9);
	assert_int_equal(distance, 500 * MS);
	for (uint64_t i = 0; i < 9; i++)
		assert_int_equal(sites_instant_bytes(sites, 0)[i], 2 * (i + 1));
	assert_int_equal(sites_instant_bytes(sites, 0)[9], 0);
}

static void a_late_tick_takes_all_that_are_due(void **state)
{
	uint64_t distance;

	intern(0, 0);
	sites_alloc(sites, 0, 3, 0);
	sites_tick(sites, 3600 * 1000 * MS);
	assert_in_range(sites_instants(sites, &distance), 8, 16);
	assert_true(distance * 17 > 3600 * 1000 * MS);
	assert_int_equal(sites_instant_bytes(sites, 0)[7], 3);
}

/*
 * What each quarter of a second adds is allocated, and what it takes away is freed; the first one
 * begins at `since_ns`.
 */
static bool grows_after(uint64_t since_ns, const int *spans, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		if (spans[i] > 0)
			sites_alloc(sites, 0, (uint64_t)spans[i], 0);
		if (spans[i] < 0)
			sites_free(sites, 0, (uint64_t)-spans[i], 0, 0);
		sites_tick(sites, since_ns + (i + 1) * 250 * MS);
	}
	return sites_growing(sites, 0);
}

static bool grows(const int *spans, size_t nr)
{
	return grows_after(0, spans, nr);
}

static void growing(void **state)
{
	intern(0, 0);
	assert_true(grows((int[]){ 5, 1, 1, 1 }, 4));
}

static void not_growing_without_the_first_quarter(void **state)
{
	intern(0, 0);
	assert_false(grows((int[]){ 0, 1, 1, 1 }, 4));
}

static void not_growing_when_one_quarter_rests(void **state)
{
	intern(0, 0);
	assert_false(grows((int[]){ 4, 4, 0, 4 }, 4));
}

static void not_growing_when_it_shrinks_at_last(void **state)
{
	intern(0, 0);
	assert_false(grows((int[]){ 8, 1, 1, -1 }, 4));
}

static void too_short_to_tell(void **state)
{
	intern(0, 0);
	assert_false(grows((int[]){ 1, 1, 1 }, 3));
}

static void growing_for_long(void **state)
{
	int spans[240];

	for (size_t i = 0; i < 240; i++)
		spans[i] = 1;
	intern(0, 0);
	assert_true(grows(spans, 240));
}

/* One byte more each 10 ms: whenever there are quarters, they are of all since then. */
static void check_quarters(uint64_t since_ms, uint64_t last_ms)
{
	struct site_quarters quarters;

	for (uint64_t ms = 10; ms <= last_ms; ms += 10) {
		sites_alloc(sites, 0, 1, (since_ms + ms) * MS);
		sites_tick(sites, (since_ms + ms) * MS);
		assert_int_equal(sites_quarters(sites, 0, &quarters), ms >= 1000);
		if (ms < 1000)
			continue;
		assert_true(sites_growing(sites, 0));
		assert_int_equal(quarters.end_ns[3], (since_ms + ms) * MS);
		for (size_t i = 0; i < 4; i++)
			assert_int_equal(quarters.bytes[i], (quarters.end_ns[i] / MS - since_ms) / 10);
	}
}

static void quarters_of_any_length(void **state)
{
	intern(0, 0);
	check_quarters(0, 100000);
}

/* --- some time was not watched --- */

static void disowned_is_as_if_it_had_never_been(void **state)
{
	const struct site *site;

	intern(0, 0);
	sites_alloc(sites, 0, 10, 5);
	sites_alloc(sites, 0, 20, 6);
	sites_free(sites, 0, 10, 5, 25);
	sites_disown(sites, 0, 20);	/* while all that still waits to be counted */
	site = sites_get(sites, 0);
	assert_counts(site, 1, 1, 0);
	assert_int_equal(site->peak_bytes, 30);
	assert_int_equal(site->lifetime_sum_ns, 20);
}

static void disowned_all_comes_again(void **state)
{
	intern(0, 0);
	sites_alloc(sites, 0, 10, 5);
	sites_disown(sites, 0, 10);
	assert_int_equal(sites_get(sites, 0)->allocs, 0);
	sites_alloc(sites, 0, 7, 50);
	assert_int_equal(sites_get(sites, 0)->first_ns, 50);
	assert_int_equal(sites_get(sites, 0)->last_ns, 50);
	assert_int_equal(sites_get(sites, 0)->live_bytes, 7);
}

static void disowned_samples(void **state)
{
	const struct site_estimate *estimate;

	sites_sample(sites, 1000);
	intern(0, 0);
	for (uint64_t i = 0; i < 100; i++)
		sites_alloc(sites, 0, 13 * i, i);
	estimate = sites_estimate(sites, 0);
	assert_true(estimate->live.bytes > 0 && estimate->live.bytes_square > 0);
	for (uint64_t i = 0; i < 100; i++)
		sites_disown(sites, 0, 13 * i);
	estimate = sites_estimate(sites, 0);
	assert_int_equal(estimate->live.blocks, 0);
	assert_int_equal(estimate->live.bytes, 0);
	assert_int_equal(estimate->allocated.blocks, 0);
	assert_int_equal(estimate->allocated.bytes, 0);
	assert_true(!estimate->live.blocks_square && !estimate->live.bytes_square);
	assert_true(!estimate->allocated.blocks_square && !estimate->allocated.bytes_square);
	assert_true(estimate->peak_bytes > 0);
}

static void instants_begin_anew(void **state)
{
	uint64_t distance;

	sites_begin_anew(sites, 5 * MS);	/* no site yet */
	intern(0, 0);
	for (uint64_t i = 1; i <= 40; i++) {
		sites_alloc(sites, 0, 1, i);
		sites_tick(sites, 5 * MS + i * 250 * MS);
	}
	assert_int_equal(sites_instants(sites, &distance), 10);
	assert_int_equal(distance, 1000 * MS);
	sites_begin_anew(sites, 11000 * MS);
	assert_int_equal(sites_instants(sites, &distance), 0);
	assert_int_equal(distance, 250 * MS);
	for (size_t i = 0; i < SITE_INSTANTS; i++)
		assert_int_equal(sites_instant_bytes(sites, 0)[i], 0);
	sites_tick(sites, 10999 * MS);	/* a clock behind */
	sites_tick(sites, 11249 * MS);
	assert_int_equal(sites_instants(sites, &distance), 0);
	sites_tick(sites, 11250 * MS);
	assert_int_equal(sites_instants(sites, &distance), 1);
	assert_int_equal(sites_instant_bytes(sites, 0)[0], 40);
}

static void a_late_tick_after_beginning_anew(void **state)
{
	uint64_t distance;

	intern(0, 0);
	sites_begin_anew(sites, 86400 * 1000 * MS);
	sites_alloc(sites, 0, 3, 86400 * 1000 * MS);
	sites_tick(sites, (86400 + 3600) * 1000 * MS);
	assert_in_range(sites_instants(sites, &distance), 8, 16);
	assert_true(distance * 17 > 3600 * 1000 * MS);
	assert_true(distance * 8 <= 3600 * 1000 * MS);
}

/* The same after a gap that ends then. */
static bool grows_since(uint64_t since_ns, const int *spans, size_t nr)
{
	sites_begin_anew(sites, since_ns);
	return grows_after(since_ns, spans, nr);
}

static void growth_is_of_the_time_after(void **state)
{
	intern(0, 0);
	assert_true(grows((int[]){ 5, 1, 1, 1 }, 4));
	sites_disown(sites, 0, 8);
	assert_false(grows_since(5000 * MS, (int[]){ 0, 0, 0, 0 }, 4));
	assert_false(grows_since(9000 * MS, (int[]){ 3, 0, 0, 0 }, 4));
	sites_disown(sites, 0, 3);
	assert_false(grows_since(20000 * MS, (int[]){ 1, 1, 1 }, 3));
	sites_disown(sites, 0, 3);
	assert_true(grows_since(30000 * MS, (int[]){ 5, 1, 1, 1 }, 4));
}

static void quarters_of_the_time_after(void **state)
{
	const uint64_t since_ms = 7777;
	struct site_quarters quarters;

	intern(0, 0);
	sites_tick(sites, 5000 * MS);
	sites_begin_anew(sites, since_ms * MS);
	assert_false(sites_quarters(sites, 0, &quarters));
	check_quarters(since_ms, 50000);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(one_site_a_pair), CASE(counts), CASE(a_clock_behind_is_no_lifetime),
		CASE(nothing_waits_unseen),
		CASE(instants_halve), CASE(a_late_tick_takes_all_that_are_due), CASE(growing),
		CASE(not_growing_without_the_first_quarter),
		CASE(not_growing_when_one_quarter_rests),
		CASE(not_growing_when_it_shrinks_at_last), CASE(too_short_to_tell),
		CASE(growing_for_long), CASE(quarters_of_any_length),
		CASE(disowned_is_as_if_it_had_never_been), CASE(disowned_all_comes_again),
		CASE(disowned_samples), CASE(instants_begin_anew),
		CASE(a_late_tick_after_beginning_anew), CASE(growth_is_of_the_time_after),
		CASE(quarters_of_the_time_after),
	};

	return cmocka_run_group_tests_name("sites", tests, NULL, NULL);
}
