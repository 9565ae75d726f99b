/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What reports say where some time was not watched: by the switch, or by the brake. */
#include "report_fixture.h"

static const struct run_gap gaps[] = {
	{ 5 * MS, 6 * MS, GAP_SWITCH }, { 8 * MS, 10 * MS, GAP_SWITCH },
	{ 10500000, 11 * MS, GAP_SWITCH },
};

/* What lives then is in no figure. */
static void pass_gaps(size_t nr_gaps)
{
	facts.gaps = gaps;
	facts.nr_gaps = nr_gaps;
	for (size_t i = 0; i < nr_gaps; i++)
		heap_disown(&heap, gaps[i].to_ns);
}

/* At the end of a run of 20 ms. */
static void end_unwatched(enum run_gap_reason reason)
{
	facts.end = RUN_DETACHED;
	facts.ended_unwatched = true;
	facts.last_gap = (struct run_gap){ facts.duration_ns, 20 * MS, reason };
}

/* In the first gap one block lives; of those after it one is freed, and one is not. */
static void be_unwatched(size_t nr_gaps)
{
	const code_t second[] = { code(PROGRAM, 0x1140), code(PROGRAM, 0x1050) };

	the_three();
	pass_gaps(nr_gaps);
	alloc(0x80, 7, 11200000, second, 2);
	release(0x20, 11300000);
}

static void text_with_a_gap(void **state)
{
	be_unwatched(1);
	build(SYMBOLIZER);
	assert_string_equal(print("text"),
"UNFREED: three (pid 5120) left 7 bytes in 1 block unfreed by its exit (status 0), at 1 place.\n"
"         That is not yet a leak: nothing has looked whether anything still pointed to it.\n"
"\n"
"Traced   12.0 ms from 2026-11-23 02:10:04 UTC until its exit (status 0); 7 events: 0"
" dropped, 0 missed frees\n"
"         not watched from 5.0 ms to 6.0 ms (memleak = 0)\n"
"         20 bytes in 1 block, live then, may have been freed: in no figure here\n"
COST
"\n"
"HEAP SUMMARY:\n"
"    in use at exit: 7 bytes in 1 blocks\n"
"  total heap usage: 3 allocs, 2 frees, 47 bytes allocated\n"
"        also freed: 1 block not seen allocated\n"
"\n"
"1. UNFREED 7 bytes in 1 block\n"
"   allocated here: 1, freed: 0\n"
"      at malloc(7)\n"
BY_MAIN
"\n"
NO_ERRORS
"\n"
"NEXT  " LOOK_AFTER_IT);
}

static void text_with_several_gaps(void **state)
{
	be_unwatched(3);
	build(SYMBOLIZER);
	assert_contains(print("text"), " 0 missed frees\n"
"         not watched in 3 gaps, 3.5 ms in all (memleak = 0)\n"
"         20 bytes in 1 block, live then, may have been freed: in no figure here\n"
"Cost ");
}

static void text_with_a_gap_in_which_nothing_lived(void **state)
{
	pass_gaps(1);
	build(SYMBOLIZER);
	assert_contains(print("text"),
			"         not watched from 5.0 ms to 6.0 ms (memleak = 0)\nCost ");
	assert_null(strstr(printed, "live then"));
}

/* The end of the process is known, but not what it freed before. */
static void text_that_ended_unwatched(void **state)
{
	the_three();
	end_unwatched(GAP_SWITCH);
	build(SYMBOLIZER);
	print("text");
	assert_contains(printed, "UNFREED: three (pid 5120) allocated and did not free 20 bytes in 1"
" block in 12.0 ms, at 1 place.\n");
	assert_contains(printed, " UTC; 5 events: 0 dropped, 0 missed frees\n"
"         then switched off (memleak = 0): what was freed after that is not known\n"
"Cost ");
	assert_contains(printed, "    in use at the switch-off: 20 bytes in 1 blocks\n");
	assert_null(strstr(printed, "A longer trace"));
	assert_null(strstr(printed, "not watched"));
}

static void text_with_a_gap_that_ended_unwatched(void **state)
{
	be_unwatched(1);
	end_unwatched(GAP_SWITCH);
	build(SYMBOLIZER);
	assert_contains(print("text"),
"         not watched from 5.0 ms to 6.0 ms (memleak = 0)\n"
"         20 bytes in 1 block, live then, may have been freed: in no figure here\n"
"         then switched off (memleak = 0): what was freed after that is not known\n"
"Cost ");
}

static void assert_verdict(enum verdict expected, const char *first)
{
	first_line(first);
	build(SYMBOLIZER);
	assert_int_equal(model.verdict, expected);
	model_release(&model);
}

#define PART "              Part of that time was not watched; nothing is known of it.\n\n"

static void no_leak_with_a_gap_is_none_seen(void **state)
{
	the_three();
	release(0x20, 6 * MS);
	assert_verdict(VERDICT_NO_LEAK, "NO LEAK: three (pid 5120) freed all its blocks before");
	pass_gaps(1);
	assert_verdict(VERDICT_NO_LEAK_SEEN, "NO LEAK SEEN in 12.0 ms: all that three (pid 5120)"
		       " allocated was freed.\n" PART);
	build(SYMBOLIZER);
	assert_contains(print("json"), "\"verdict\": \"no-leak-seen\"");
	model_release(&model);
	facts.launched = false;
	assert_verdict(VERDICT_NO_LEAK_SEEN, "NO LEAK SEEN in 12.0 ms: all that three (pid 5120)"
		       " allocated was freed.\n" PART);
}

static void no_leak_that_ended_unwatched_is_none_seen(void **state)
{
	the_three();
	release(0x20, 6 * MS);
	end_unwatched(GAP_SWITCH);
	assert_verdict(VERDICT_NO_LEAK_SEEN, "NO LEAK SEEN in 12.0 ms: all that three (pid 5120)"
		       " allocated was freed.\n\n");
}

static void nothing_allocated_but_for_a_gap(void **state)
{
	pass_gaps(1);
	assert_verdict(VERDICT_NO_LEAK_SEEN, "NO LEAK SEEN in 12.0 ms: three (pid 5120) allocated"
		       " nothing.\n" PART);
}

/* That they were freed must not be said. */
static void no_leak_but_blocks_of_a_gap(void **state)
{
	const code_t stack[] = { code(PROGRAM, 0x1140) };

	alloc(0x10, 20, 1 * MS, stack, 1);
	pass_gaps(1);
	assert_verdict(VERDICT_NO_LEAK_SEEN, "NO LEAK SEEN in 12.0 ms: all that three (pid 5120)"
		       " allocated was live in a gap.\n" PART);
	alloc(0x20, 20, 7 * MS, stack, 1);
	release(0x20, 8 * MS);
	assert_verdict(VERDICT_NO_LEAK_SEEN, "NO LEAK SEEN in 12.0 ms: all that three (pid 5120)"
		       " allocated was freed, but for what was live in a gap.\n" PART);
}

static void samples_with_a_gap(void **state)
{
	be_sampled(2000);
	pass_gaps(1);
	assert_verdict(VERDICT_NO_LEAK_SEEN, "NO LEAK SEEN in 12.0 ms: 2 sampled blocks of three"
		       " (pid 5120) were all freed.\n"
		       "              Places that allocate little may have no sample.\n" PART);
	build(SYMBOLIZER);
	assert_contains(print("text"), "         not watched from 5.0 ms to 6.0 ms (memleak = 0)\n"
"         about 5.57 KiB (+- 48 %) in about 4 blocks (2 sampled), live then, may have been freed:"
" in no figure here\n");
	assert_contains(printed, "    in use at exit: none of what was sampled\n"
"  total heap usage: about 13 allocs, about 13 frees, about 4.53 KiB");
	style.one_line = true;
	assert_contains(print("json"), "\"unwatched_blocks\":4,\"unwatched_bytes\":5705,");
}

static void all_samples_are_of_a_gap(void **state)
{
	const code_t stack[] = { code(PROGRAM, 0x1140) };

	facts.sample_bytes = 2000;
	heap_sample(&heap, 2000);
	alloc(0x10, 1000, 1 * MS, stack, 1);
	pass_gaps(1);
	assert_verdict(VERDICT_NO_LEAK_SEEN, "NO LEAK SEEN in 12.0 ms: all that was sampled of three"
		       " (pid 5120) was live in a gap.\n" PART);
}

/* The same service, whose first minute has a gap at its end. */
static void growth_since_the_last_gap(void **state)
{
	static const struct run_gap late[] = {
		{ 1 * SECOND, 2 * SECOND, GAP_SWITCH },
		{ 59 * SECOND, 60 * SECOND, GAP_SWITCH },
	};
	const code_t grows[] = { code(LIBCXX, 0x1010), code(PROGRAM, 0x2000) };

	be_a_service();
	serve();
	facts.gaps = late;
	facts.nr_gaps = 2;
	facts.duration_ns = 100 * SECOND;
	heap_disown(&heap, 60 * SECOND);
	for (uint64_t i = 0; i < 4000; i++)
		alloc(0x100000 + i * 64, 48, 60 * SECOND + i * 10 * MS, grows, 2);
	build(SYMBOLIZER);
	assert_int_equal(model.verdict, VERDICT_GROWING);
	print("text");
	assert_contains(printed, "GROWING: 1 place (1) gained 192,000 bytes, +4,800 bytes/s, in all"
" four quarters of the time since the last gap in the trace of orderd (pid 4711).\n");
	assert_contains(printed,
"         not watched in 2 gaps, 2.0 s in all (memleak = 0)\n"
"         290,180 bytes in 6,021 blocks, live then, may have been freed: in no figure here\n");
	assert_contains(printed, "\n1. GROWING 192,000 bytes in 4,000 blocks, +4,800 bytes/s\n");
	assert_contains(printed, "   live after 72/80/92/100 s: 57,600 96,000 153,600 192,000 bytes\n");
}

static void json_with_gaps(void **state)
{
	be_unwatched(1);
	build(SYMBOLIZER);
	style.one_line = true;
	assert_contains(print("json"), "\"duration_ns\":12000000,"
"\"unwatched\":[{\"from_ns\":5000000,\"to_ns\":6000000,\"reason\":\"memleak\"}],\"attach_pause_ns\":0,");
	assert_contains(printed, "\"heap\":{\"allocs\":3,\"frees\":2,\"bytes_allocated\":47,"
"\"live_blocks\":1,\"live_bytes\":7,\"peak_bytes\":60,\"unknown_frees\":1,\"own_frees\":0,\"missed_frees\":0,"
"\"failed_allocs\":0,\"unwatched_blocks\":1,\"unwatched_bytes\":20},");
	model_release(&model);
	facts.nr_gaps = 3;
	build(SYMBOLIZER);
	assert_contains(print("json"),
"\"unwatched\":[{\"from_ns\":5000000,\"to_ns\":6000000,\"reason\":\"memleak\"},"
"{\"from_ns\":8000000,\"to_ns\":10000000,\"reason\":\"memleak\"},"
"{\"from_ns\":10500000,\"to_ns\":11000000,\"reason\":\"memleak\"}],");
}

static void json_that_ended_unwatched(void **state)
{
	the_three();
	end_unwatched(GAP_SWITCH);
	style.one_line = true;
	build(SYMBOLIZER);
	assert_contains(print("json"),
"\"unwatched\":[{\"from_ns\":12000000,\"to_ns\":null,\"ended_ns\":20000000,\"reason\":\"memleak\"}],");
	assert_contains(printed, "\"exit\":null}");
	model_release(&model);
	facts.gaps = gaps;
	facts.nr_gaps = 1;
	build(SYMBOLIZER);
	assert_contains(print("json"),
"\"unwatched\":[{\"from_ns\":5000000,\"to_ns\":6000000,\"reason\":\"memleak\"},"
"{\"from_ns\":12000000,\"to_ns\":null,\"ended_ns\":20000000,\"reason\":\"memleak\"}],");
}

/* --- the brake --- */

static const struct run_gap pauses[] = {
	{ 1 * MS, 2 * MS, GAP_OVERHEAD }, { 3 * MS, 4 * MS, GAP_SWITCH },
	{ 5 * MS, 7 * MS, GAP_OVERHEAD },
};

static void be_braked(size_t nr_gaps)
{
	the_three();
	facts.gaps = pauses;
	facts.nr_gaps = nr_gaps;
	facts.overhead.limit_ppm = 25000;
}

static void text_of_pauses(void **state)
{
	be_braked(1);
	build(SYMBOLIZER);
	assert_contains(print("text"),
"         not watched from 1.0 ms to 2.0 ms, 8 % of the time (--overhead 2.5)\nCost ");
	model_release(&model);
	facts.nr_gaps = 3;
	facts.overhead.limit_ppm = 100000;
	build(SYMBOLIZER);
	assert_contains(print("text"), " missed frees\n"
"         not watched from 3.0 ms to 4.0 ms (memleak = 0)\n"
"         not watched in 2 gaps, 3.0 ms in all, 25 % of the time (--overhead 10)\n"
"Cost ");
}

/* The last gap lasts 8 ms of 20. */
static void text_that_ended_in_a_pause(void **state)
{
	be_braked(3);
	end_unwatched(GAP_OVERHEAD);
	build(SYMBOLIZER);
	assert_contains(print("text"),
"         not watched in 3 gaps, 11.0 ms in all, 55 % of the time (--overhead 2.5)\n"
"         the trace ended in such a gap: what was freed in that is not known\n"
"Cost ");
	assert_contains(printed, "    in use at the last pause: 20 bytes in 1 blocks\n");
	assert_null(strstr(printed, "switched off"));
}

static void text_of_the_share(void **state)
{
	be_braked(0);
	facts.stops = 0;
	facts.overhead.share_ppm = 996000;
	build(SYMBOLIZER);
	assert_contains(print("text"), " handled in 0.04 ms; stopped 100 % of its time; engine ");
	facts.overhead.limit_ppm = 0;
	assert_contains(print("text"), " handled in 0.04 ms; engine ");
}

static void json_of_pauses(void **state)
{
	be_braked(2);
	facts.overhead.pauses = 2;
	facts.overhead.paused_ns = 9 * MS;
	end_unwatched(GAP_OVERHEAD);
	style.one_line = true;
	build(SYMBOLIZER);
	assert_contains(print("json"),
"\"unwatched\":[{\"from_ns\":1000000,\"to_ns\":2000000,\"reason\":\"overhead\"},"
"{\"from_ns\":3000000,\"to_ns\":4000000,\"reason\":\"memleak\"},"
"{\"from_ns\":12000000,\"to_ns\":null,\"ended_ns\":20000000,\"reason\":\"overhead\"}],");
	assert_contains(printed, "\"limit_ppm\":25000,\"pauses\":2,\"paused_ns\":9000000},");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(text_with_a_gap), CASE(text_with_several_gaps),
		CASE(text_with_a_gap_in_which_nothing_lived), CASE(text_that_ended_unwatched),
		CASE(text_with_a_gap_that_ended_unwatched),
		CASE(no_leak_with_a_gap_is_none_seen),
		CASE(no_leak_that_ended_unwatched_is_none_seen),
		CASE(nothing_allocated_but_for_a_gap), CASE(no_leak_but_blocks_of_a_gap),
		CASE(samples_with_a_gap), CASE(all_samples_are_of_a_gap),
		CASE(growth_since_the_last_gap), CASE(json_with_gaps),
		CASE(json_that_ended_unwatched), CASE(text_of_pauses),
		CASE(text_that_ended_in_a_pause), CASE(text_of_the_share), CASE(json_of_pauses),
	};

	return cmocka_run_group_tests_name("report_gaps", tests, NULL, NULL);
}
