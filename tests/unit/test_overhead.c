/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The share of the time that a process is stopped, by readings that are made up, and the brake. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tracer/brake.h"

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
	struct overhead_sums sums = { .stopped_ns = 25 * MS, .ran_ns = 1 };

	assert_false(overhead_is_beyond(&sums, 5 * SECOND, 1 * PERCENT));
	sums.stopped_ns++;
	assert_true(overhead_is_beyond(&sums, 5 * SECOND, 1 * PERCENT));
	sums.ran_ns = 5 * SECOND;
	assert_false(overhead_is_beyond(&sums, 5 * SECOND, 1 * PERCENT));
}

/* --- the brake --- */

static void wants_pause(bool wanted, uint32_t limit_ppm)
{
	assert_int_equal(brake_wants_pause(&overhead, limit_ppm), wanted);
}

static void brake_takes_5_seconds(void **state)
{
	wants_pause(false, 10 * PERCENT);
	pass(49, 12 * MS, 88 * MS);
	wants_pause(false, 10 * PERCENT);
	pass(1, 12 * MS, 88 * MS);
	wants_pause(true, 10 * PERCENT);
	wants_pause(false, 12 * PERCENT);
	pass(50, 10 * MS, 90 * MS);
	wants_pause(false, 10 * PERCENT);
}

/* A pause of 60 s is needed sooner. */
static void brake_of_a_small_share(void **state)
{
	pass(5, 100 * MS, 0);
	wants_pause(false, 1 * PERCENT);
	pass(2, 100 * MS, 0);
	wants_pause(true, 1 * PERCENT);
	wants_pause(false, 10 * PERCENT);
}

static void assert_pause(uint32_t limit_ppm, unsigned ticks, uint64_t cpu_ns)
{
	struct brake brake = { .pausing = false };

	brake_begin_pause(&brake, &overhead);
	assert_true(brake.pausing);
	for (unsigned i = 0; i < ticks; i++) {
		assert_false(brake_is_pause_over(&brake, &overhead, limit_ppm));
		pass(1, 0, cpu_ns);
	}
	assert_true(brake_is_pause_over(&brake, &overhead, limit_ppm));
	assert_int_equal(brake_end_pause(&brake, &overhead), ticks * 100 * MS);
	assert_false(brake.pausing);
	assert_int_equal(brake_end_pause(&brake, &overhead), 0);
}

/* 4.5 s stopped ask for 40.5 s of its own, of which it has had 0.5. */
static void pause_brings_the_share_down(void **state)
{
	pass(50, 90 * MS, 10 * MS);
	assert_pause(10 * PERCENT, 400, 100 * MS);
}

/* Two threads: half as long. */
static void pause_of_two_threads(void **state)
{
	pass(50, 90 * MS, 10 * MS);
	assert_pause(10 * PERCENT, 200, 200 * MS);
}

static void pause_counts_the_last_5_seconds(void **state)
{
	pass(100, 0, 100 * MS);
	pass(50, 20 * MS, 80 * MS);
	assert_pause(10 * PERCENT, 50, 100 * MS);
}

static void pause_is_bounded(void **state)
{
	pass(50, 100 * MS, 0);
	assert_pause(1 * PERCENT, 600, 100 * MS);
	setup(NULL);
	pass(50, 10 * MS, 90 * MS);
	assert_pause(50 * PERCENT, 1, 100 * MS);
}

/* What it does not do cannot become slower. */
static void pause_of_who_sleeps(void **state)
{
	pass(50, 2 * MS, 1 * MS);
	wants_pause(true, 50 * PERCENT);
	assert_pause(50 * PERCENT, 500, MS / 10);
}

static void the_next_5_seconds(void **state)
{
	struct brake brake;

	pass(50, 90 * MS, 10 * MS);
	brake_begin_pause(&brake, &overhead);
	pass(400, 0, 100 * MS);
	(void)brake_end_pause(&brake, &overhead);
	overhead_forget(&overhead);
	wants_pause(false, 10 * PERCENT);
	pass(49, 20 * MS, 80 * MS);
	wants_pause(false, 10 * PERCENT);
	pass(1, 20 * MS, 80 * MS);
	wants_pause(true, 10 * PERCENT);
}

#define CASE(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(sums_begin_with_the_first_reading), CASE(sleep_is_in_neither),
		CASE(switches_are_no_work), CASE(waits_are_no_work),
		CASE(nothing_is_less_than_none), CASE(no_more_threads_than_processors),
		CASE(the_last_seconds), CASE(many_readings), CASE(few_stops_do_no_harm),
		CASE(brake_takes_5_seconds), CASE(brake_of_a_small_share),
		CASE(pause_brings_the_share_down), CASE(pause_of_two_threads),
		CASE(pause_counts_the_last_5_seconds), CASE(pause_is_bounded),
		CASE(pause_of_who_sleeps), CASE(the_next_5_seconds),
	};

	return cmocka_run_group_tests_name("overhead", tests, NULL, NULL);
}
