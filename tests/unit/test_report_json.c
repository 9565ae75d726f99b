/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The JSON and the folded report, byte for byte. */
#include <jansson.h>

#include "report_fixture.h"

static void json_of_the_three(void **state)
{
	the_three();
	build(SYMBOLIZER);
	style.one_line = true;
	assert_string_equal(print("json"),
"{\"version\":\"" MEMTRACE_VERSION "\",\"verdict\":\"unfreed\","
"\"target\":{\"pid\":5120,\"name\":\"three\",\"command\":[\"./three\",\"-\\uFFFD\"],"
"\"exe\":\"/home/u/three\",\"launched\":true,\"runtimes\":[],\"execs\":0,\"end\":\"exited\","
"\"exit\":{\"code\":0}},"
"\"run\":{\"engine\":\"break\",\"sample_bytes\":0,\"started\":\"2026-11-23T02:10:04Z\",\"duration_ns\":12000000,"
"\"unwatched\":[],\"attach_pause_ns\":0,\"detach_pause_ns\":0,"
"\"overhead\":{\"share_ppm\":25000,\"stopped_ns\":100000,\"ran_ns\":3900000,\"limit_ppm\":0,"
"\"pauses\":0,\"paused_ns\":0},"
"\"stops\":8,\"handled_ns\":40000,\"events\":5,\"dropped\":0,\"lost_events\":0,"
"\"incomplete\":null,"
"\"truncated\":false,\"truncated_stacks\":0,\"unsampled_functions\":0,\"free_stacks\":false,\"functions\":["
"{\"name\":\"malloc\",\"module\":\"/usr/lib/libc.so.6\",\"engine\":\"break\"},"
"{\"name\":\"realloc\",\"module\":\"/usr/lib/libc.so.6\",\"engine\":\"break\"}]},"
"\"heap\":{\"allocs\":3,\"frees\":2,\"bytes_allocated\":60,\"live_blocks\":1,\"live_bytes\":20,"
"\"peak_bytes\":60,\"unknown_frees\":0,\"own_frees\":0,\"missed_frees\":0,\"failed_allocs\":0,"
"\"unwatched_blocks\":0,\"unwatched_bytes\":0},"
"\"memory\":{\"rss_start_bytes\":0,\"rss_end_bytes\":0},\"leak_summary\":null,"
"\"scan\":{\"only\":false,\"wanted\":false,\"done\":false,\"why_not\":null,\"pause_ns\":0,"
"\"duration_ns\":0,\"copied_bytes\":0,\"scanned_bytes\":0,\"threads\":0,\"roots\":0,"
"\"arenas\":0,\"heap_walked\":false,\"walk_stopped\":null,\"unjudged_blocks\":0,\"heap\":null},"
"\"modules\":["
"{\"path\":\"/home/u/three\",\"build_id\":\"abcd01\",\"bias\":\"0x555555554000\","
"\"lacks_debug_info\":false},"
"{\"path\":\"/usr/lib/libplug.so.1\",\"build_id\":\"1234\",\"bias\":\"0x7f0000000000\","
"\"lacks_debug_info\":true},"
"{\"path\":\"/usr/lib/libstdc++.so.6\",\"build_id\":null,\"bias\":\"0x7f1000000000\","
"\"lacks_debug_info\":true}],"
"\"sites\":[{\"kind\":\"unfreed\",\"growing\":false,\"bytes\":20,\"blocks\":1,"
"\"indirect_bytes\":0,\"indirect_blocks\":0,\"function\":\"malloc\",\"allocs\":1,\"frees\":0,"
"\"peak_bytes\":20,\"first_ns\":2000000,\"last_ns\":2000000,\"oldest_live_ns\":2000000,"
"\"newest_live_ns\":2000000,\"oldest_address\":\"0x20\",\"smallest_bytes\":20,"
"\"largest_bytes\":20,\"lifetime_ns\":{\"min\":0,\"avg\":0,\"max\":0},\"quarters\":[],"
"\"keeper\":null,\"truncated\":false,\"stack\":[{\"pc\":\"0x555555555140\",\"function\":\"main\",\"file\":\"/src/three.c\","
"\"line\":5,\"module\":\"/home/u/three\",\"offset\":\"0x1140\",\"inlined\":false},"
"{\"pc\":\"0x555555555050\",\"function\":\"_start\",\"file\":null,\"line\":0,"
"\"module\":\"/home/u/three\",\"offset\":\"0x1050\",\"inlined\":false}]}],"
"\"before_attach\":[],\"errors\":[],\"error_summary\":{\"errors\":0,\"contexts\":0,\"leaks\":0,\"frees_judged\":true,"
"\"lost\":0,\"suppressed\":0,\"suppressed_contexts\":0}}\n");
}

static void json_of_samples(void **state)
{
	be_sampled(2000);
	build(SYMBOLIZER);
	style.one_line = true;
	assert_contains(print("json"), "\"sample_bytes\":2000,");
	assert_contains(printed, "\"heap\":{\"allocs\":18,\"frees\":13,\"bytes_allocated\":10348,"
"\"live_blocks\":5,\"live_bytes\":5705,\"peak_bytes\":7184,\"unknown_frees\":0,\"own_frees\":0,"
"\"missed_frees\":0,\"failed_allocs\":0,\"unwatched_blocks\":0,\"unwatched_bytes\":0,"
"\"bytes_allocated_error\":3939,\"growing_bytes_error\":0,\"rest_bytes_error\":2757,"
"\"sampled_unwatched_blocks\":0,\"unwatched_bytes_error\":0,"
"\"sampled_blocks\":2,\"sampled_allocs\":4,\"bytes_error\":2757,\"blocks_error\":2,"
"\"allocs_error\":10},");
	assert_contains(printed, "\"sampled_blocks\":1,\"sampled_allocs\":3,\"bytes_error\":");
}

/* Indented or not, it is the same document. */
static void json_indented(void **state)
{
	json_t *indented, *compact;

	be_a_service();
	serve();
	build(SYMBOLIZER);
	indented = json_loads(print("json"), JSON_REJECT_DUPLICATES, NULL);
	assert_contains(printed,
			"\n \"verdict\": \"growing\",\n \"target\": {\n  \"pid\": 4711,\n");
	assert_contains(printed, "\n  \"exit\": null\n },\n");
	assert_contains(printed,
			"\n \"sites\": [\n  {\n   \"kind\": \"unfreed\",\n   \"growing\": true,\n");
	assert_contains(printed, "\n  }\n ],\n \"before_attach\": [],\n \"errors\": [],\n \"error_summary\": {\n");
	style.one_line = true;
	compact = json_loads(print("json"), JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(indented);
	assert_true(json_equal(indented, compact));
	assert_ptr_equal(strchr(printed, '\n'), printed + strlen(printed) - 1);
	json_decref(indented);
	json_decref(compact);
}

static void json_without_sites(void **state)
{
	build(SYMBOLIZER);
	assert_contains(print("json"), "\n \"sites\": [],\n \"before_attach\": [],\n \"errors\": [],\n \"error_summary\": {\n");
	assert_contains(printed, "\"verdict\": \"no-leak\"");
}

static void folded(void **state)
{
	be_a_service();
	serve();
	alloc(0x10, 7, 60 * SECOND, NULL, 0);
	build(SYMBOLIZER);
	assert_string_equal(print("folded"),
"_start;Session::open(int);Pool::take(unsigned long) 288000\n"
"[jit] 0x1234;_start;libplug.so.1+0x4242 2180\n"
"[no stack] 7\n");
}

static void formats(void **state)
{
	assert_string_equal(report_format_at(0)->name, "text");
	assert_null(report_format_at(3));
	assert_null(report_format_find("xml"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(json_of_the_three), CASE(json_of_samples), CASE(json_indented),
		CASE(json_without_sites), CASE(folded), CASE(formats),
	};

	return cmocka_run_group_tests_name("report_json", tests, NULL, NULL);
}
