/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The share of the time that a process is stopped, by readings that are made up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tracer/overhead.h"

#define MS 1000000ull
#define SECOND 1000000000ull
#define START (1000 * SECOND)
#define PERCENT 10000u

static struct overhead overhead;
static struct overhead_reading now;

static int setup(void **state)
{
	now = (struct overhead_reading){
		.at_ns = START, .held_ns = 7 * SECOND, .nr_stops = 99, .waited_ns = 5 * SECOND,
		.cpu_ns = 3600 * SECOND,
	};
	overhead_begin(&overhead, 4, &now);
	return 0;
}

/* So many ticks of 100 ms, in each of which it is held and runs so long. */
static void pass(unsigned ticks, uint64_t held_ns, uint64_t cpu_ns)
{
	while (ticks--) {
		now.at_ns += 100 * MS;
		now.held_ns += held_ns;
		now.cpu_ns += cpu_ns;
		overhead_note(&overhead, &now);
	}
}

static void assert_sums(uint64_t stopped_ns, uint64_t ran_ns)
{
	assert_int_equal(overhead.sums.stopped_ns, stopped_ns);
	assert_int_equal(overhead.sums.ran_ns, ran_ns);
}

/* --- the share --- */

static void sums_begin_with_the_first_reading(void **state)
{
	assert_sums(0, 0);
	assert_int_equal(overhead_ppm(&overhead.sums), 0);
	pass(1, 30 * MS, 70 * MS);
	assert_sums(30 * MS, 70 * MS);
	assert_int_equal(overhead_ppm(&overhead.sums), 30 * PERCENT);
}

static void sleep_is_in_neither(void **state)
{
	pass(1, 30 * MS, 70 * MS);
	pass(600, 0, 0);
	assert_int_equal(overhead_ppm(&overhead.sums), 30 * PERCENT);
}

/* Of each stop 10 us are its switches, in which the thread has the processor for 4. */
static void switches_are_no_work(void **state)
{
	now.usual = (struct standstill_switch){ 10000, 4000 };
	now.nr_stops += 1000;
	pass(1, 20 * MS, 34 * MS);
	assert_sums(30 * MS, 30 * MS);
}

/* In the agent, on a processor. */
static void waits_are_no_work(void **state)
{
	now.waited_ns += 40 * MS;
	pass(1, 0, 100 * MS);
	assert_sums(40 * MS, 60 * MS);
}

/* What was measured may be more than what there was. */
static void nothing_is_less_than_none(void **state)
{
	now.usual = (struct standstill_switch){ 10000, 4000 };
	now.nr_stops += 1000;
	pass(1, 20 * MS, 3 * MS);
	assert_sums(30 * MS, 0);
	assert_int_equal(overhead_ppm(&overhead.sums), 100 * PERCENT);
	now.cpu_ns -= MS;
	now.nr_stops -= 1000;
	pass(1, 0, 0);
	assert_sums(30 * MS, 0);
}

/* 16 threads that are stopped at once could not have run on more than 4 processors. */
static void no_more_threads_than_processors(void **state)
{
	pass(1, 1600 * MS, 100 * MS);
	assert_sums(300 * MS, 100 * MS);
	pass(1, 200 * MS, 300 * MS);
	assert_sums(400 * MS, 400 * MS);
}

static void the_last_seconds(void **state)
{
	struct overhead_sums recent;

	pass(20, 80 * MS, 20 * MS);
	assert_true(overhead_recent(&overhead, 2 * SECOND, &recent));
	assert_false(overhead_recent(&overhead, 2 * SECOND + 1, &recent));
	assert_int_equal(recent.stopped_ns, 1600 * MS);
	pass(100, 1 * MS, 99 * MS);
	assert_true(overhead_recent(&overhead, 5 * SECOND, &recent));
	assert_int_equal(recent.stopped_ns, 50 * MS);
	assert_int_equal(recent.ran_ns, 4950 * MS);
	overhead_forget(&overhead);
	assert_false(overhead_recent(&overhead, 1, &recent));
	assert_int_equal(recent.stopped_ns + recent.ran_ns, 0);
}

/* Ticks of 10 ms. */
static void many_readings(void **state)
{
	struct overhead_sums recent;

	for (unsigned i = 0; i < 1000; i++) {
		now.at_ns += 10 * MS;
		now.cpu_ns += 9 * MS;
		now.held_ns += 1 * MS;
		overhead_note(&overhead, &now);
	}
	assert_true(overhead_recent(&overhead, 5 * SECOND, &recent));
	assert_int_equal(overhead_ppm(&recent), 10 * PERCENT);
	assert_int_equal(recent.stopped_ns, 500 * MS);
}

static void few_stops_do_no_harm(void **state)
{
	struct overhead_sums sums = { .stopped_ns = 5 * MS, .ran_ns = 1 };

	assert_false(overhead_is_beyond(&sums, 5 * SECOND, 1 * PERCENT));
	sums.stopped_ns++;
	assert_true(overhead_is_beyond(&sums, 5 * SECOND, 1 * PERCENT));
	sums.ran_ns = 5 * SECOND;
	assert_false(overhead_is_beyond(&sums, 5 * SECOND, 1 * PERCENT));
}

#define CASE(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(sums_begin_with_the_first_reading), CASE(sleep_is_in_neither),
		CASE(switches_are_no_work), CASE(waits_are_no_work),
		CASE(nothing_is_less_than_none), CASE(no_more_threads_than_processors),
		CASE(the_last_seconds), CASE(many_readings), CASE(few_stops_do_no_harm),
	};

	return cmocka_run_group_tests_name("overhead", tests, NULL, NULL);
}
