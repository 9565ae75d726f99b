/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reports that are read back: how names get into them, and files that are none.  That every format
 * of every report of tests/unit/test_report_*.c is the same after a round trip is tested there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../fuzz/mutate.c"
#include "../fuzz/report_check.h"
#include "../fuzz/report_variants.h"

#define NR_VARIANTS 20000

#define FRAME(pc, offset, function, file, inlined) \
	"{\"pc\":\"0x" pc "\",\"function\":" function ",\"file\":" file ",\"line\":7," \
	"\"module\":\"/bin/x\",\"offset\":\"0x" offset "\",\"inlined\":" inlined "}"

#define CALL(stack) \
	"{\"function\":\"free\",\"time_ns\":3,\"stack\":[" stack "],\"truncated\":false}"

/* Sampled, with a gap, a place that grows, and a stack of which some is known. */
static const char report[] =
"{\"version\":\"0.1.0\",\"verdict\":\"growing\",\"target\":{\"pid\":42,\"name\":\"x\","
"\"command\":[\"x\",\"y\"],\"exe\":null,\"launched\":false,\"runtimes\":[\"java\"],\"execs\":0,"
"\"end\":\"killed\",\"exit\":{\"signal\":9}},"
"\"run\":{\"engine\":\"jump\",\"sample_bytes\":1024,\"started\":\"2026-11-23T02:10:04Z\","
"\"duration_ns\":60000000000,\"unwatched\":[{\"from_ns\":1,\"to_ns\":2,\"reason\":\"memleak\"},"
"{\"from_ns\":50000000000,\"to_ns\":60000000000,\"reason\":\"overhead\"},"
"{\"from_ns\":60000000000,\"to_ns\":null,\"ended_ns\":70000000000,\"reason\":\"overhead\"}],"
"\"attach_pause_ns\":1,\"detach_pause_ns\":2,\"overhead\":{\"share_ppm\":1,\"stopped_ns\":2,"
"\"ran_ns\":3,\"limit_ppm\":4,\"pauses\":5,\"paused_ns\":6},"
"\"stops\":3,\"handled_ns\":4,\"events\":5,\"dropped\":6,\"lost_events\":6,\"incomplete\":\"so\","
"\"truncated\":true,\"truncated_stacks\":1,\"unsampled_functions\":1,\"free_stacks\":true,"
"\"functions\":["
"{\"name\":\"malloc\",\"module\":\"/bin/x\",\"engine\":\"jump\"}]},"
"\"heap\":{\"allocs\":9,\"frees\":2,\"bytes_allocated\":90,\"live_blocks\":7,\"live_bytes\":70,"
"\"peak_bytes\":70,\"unknown_frees\":1,\"own_frees\":0,\"missed_frees\":0,\"failed_allocs\":1,"
"\"unwatched_blocks\":3,\"unwatched_bytes\":30,\"bytes_allocated_error\":1,"
"\"growing_bytes_error\":2,\"rest_bytes_error\":3,\"sampled_unwatched_blocks\":1,"
"\"unwatched_bytes_error\":4,\"sampled_blocks\":2,\"sampled_allocs\":3,\"bytes_error\":5,"
"\"blocks_error\":6,\"allocs_error\":7},"
"\"memory\":{\"rss_start_bytes\":1,\"rss_end_bytes\":999999999},\"leak_summary\":null,"
"\"scan\":{\"only\":false,\"wanted\":true,\"done\":false,\"why_not\":\"so\",\"pause_ns\":1,"
"\"duration_ns\":2,\"copied_bytes\":3,\"scanned_bytes\":4,\"threads\":5,\"roots\":6,"
"\"arenas\":7,\"heap_walked\":false,\"walk_stopped\":\"why\",\"unjudged_blocks\":8,"
"\"heap\":{\"arenas\":[{\"address\":\"0x7000\",\"busy\":true,\"system_bytes\":9,\"used_blocks\":1,"
"\"used_bytes\":2,\"cached_blocks\":3,\"cached_bytes\":4,\"free_blocks\":5,\"free_bytes\":6,"
"\"top_bytes\":7}],\"mapped\":{\"bytes\":10,\"blocks\":11}}},"
"\"modules\":[{\"path\":\"/bin/y\",\"build_id\":\"0a1b\",\"bias\":\"0x0\","
"\"lacks_debug_info\":true},{\"path\":\"/bin/x\",\"build_id\":\"abcdef\",\"bias\":\"0x1000\","
"\"lacks_debug_info\":false}],\"sites\":["
"{\"kind\":\"unfreed\",\"growing\":true,\"bytes\":60,\"blocks\":6,\"indirect_bytes\":0,"
"\"indirect_blocks\":0,\"function\":\"malloc\",\"allocs\":8,\"frees\":2,\"peak_bytes\":60,"
"\"first_ns\":1,\"last_ns\":2,\"oldest_live_ns\":1,\"newest_live_ns\":2,"
"\"oldest_address\":\"0x10\",\"smallest_bytes\":10,\"largest_bytes\":10,"
"\"lifetime_ns\":{\"min\":1,\"avg\":2,\"max\":3},\"quarters\":[{\"end_ns\":1,\"bytes\":1},"
"{\"end_ns\":2,\"bytes\":2},{\"end_ns\":3,\"bytes\":3},{\"end_ns\":4,\"bytes\":4}],"
"\"keeper\":{\"root\":\"global\",\"tid\":null,\"pointer\":\"0x1031\",\"mapping\":\"/bin/x\","
"\"module\":\"/bin/x\",\"offset\":\"0x31\",\"variable\":null,\"blocks\":7,\"chain\":["
"{\"address\":\"0x100\",\"bytes\":24,\"pointer\":\"0x1031\",\"site\":null},"
"{\"address\":\"0x200\",\"bytes\":10,\"pointer\":\"0x108\",\"site\":0}]},"
"\"truncated\":true,\"sampled_blocks\":1,\"sampled_allocs\":2,\"bytes_error\":1,"
"\"blocks_error\":1,\"allocs_error\":1,\"stack\":["
FRAME("100b", "b", "null", "null", "false") ","	/* 10: answers[0] */
FRAME("1100", "100", "\"known\"", "\"/src/k.c\"", "true") ","
FRAME("1100", "100", "\"around\"", "\"/src/k.c\"", "false") ","
FRAME("1105", "105", "\"symbol\"", "null", "false") ","
"{\"pc\":\"0x7\",\"function\":null,\"file\":null,\"line\":0,\"module\":null,\"offset\":null,"
"\"inlined\":false}]}],\"before_attach\":[{\"kind\":\"reachable\",\"content\":\"object\","
"\"type\":{\"at\":8,\"address\":\"0x1041\",\"module\":\"/bin/x\",\"offset\":\"0x41\","
"\"variable\":null},\"size\":24,\"bytes\":48,\"blocks\":2,\"indirect_bytes\":0,"
"\"indirect_blocks\":0,\"example\":\"0x4000\",\"begins_with\":\"0aff\",\"keeper\":null}],"
"\"errors\":[{\"kind\":\"double-free\",\"count\":3,\"address\":\"0x10\","
"\"size\":24,\"by_resize\":true,\"first_by_resize\":false,\"same_thread\":false,\"block\":null,"
"\"free\":" CALL(FRAME("100b", "b", "null", "null", "false")) ",\"first_free\":" CALL("") ","
"\"allocation\":" CALL(FRAME("1105", "105", "\"symbol\"", "null", "false")) "},"
"{\"kind\":\"invalid-free\",\"count\":1,\"address\":\"0x30\",\"size\":null,\"by_resize\":false,"
"\"first_by_resize\":false,\"same_thread\":null,\"block\":{\"address\":\"0x20\",\"size\":20},"
"\"free\":" CALL("") ",\"first_free\":null,\"allocation\":" CALL("") "}],"
"\"error_summary\":{\"errors\":4,\"contexts\":2,\"leaks\":0,\"frees_judged\":true,\"lost\":1,\"suppressed\":0,"
"\"suppressed_contexts\":0}}";

static struct saved saved;
static int symbolizer;

static int release(void **state)
{
	saved_release(&saved);
	return 0;
}

static int read_text(const char *text)
{
	char wrong[SAVED_WRONG_BYTES];
	size_t used;

	return saved_read(&saved, text, strlen(text), &used, wrong);
}

static void it_is_a_report(void **state)
{
	assert_int_equal(check_report(report, strlen(report)), 1);
	assert_int_equal(read_text(report), 0);
	assert_int_equal(saved.model.nr_sites, 1);
	assert_int_equal(saved.model.sites[0].call.nr_frames, 5);
	assert_int_equal(saved.facts.dropped, 0);
	assert_int_equal(saved.facts.end_value, 9);
	assert_int_equal(saved.modules[1].build_id_bytes, 3);
	assert_int_equal(saved.modules[1].build_id[2], 0xef);
	assert_int_equal(code_module(saved.model.sites[0].call.stack[0].code), 2);
	assert_int_equal(code_module(saved.model.sites[0].keeper.place), 2);
	assert_int_equal(saved.model.sites[0].keeper.nr_blocks, 7);
	assert_int_equal(saved.model.sites[0].keeper.nr_steps, 2);
	assert_int_equal(saved.model.sites[0].keeper.steps[0].row, MODEL_NO_ROW);
	assert_int_equal(saved.model.sites[0].keeper.steps[1].slot, 0x108);
	assert_int_equal(saved.model.nr_arenas, 1);
	assert_true(saved.model.arenas[0].busy);
	assert_int_equal(saved.model.arenas[0].system_bytes, 9);
	assert_int_equal(saved.model.mapped.blocks, 11);
	assert_int_equal(saved.model.nr_groups, 1);
	assert_int_equal(saved.model.groups[0].content, CONTENT_OBJECT);
	assert_int_equal(code_module(saved.model.groups[0].table), 2);
	assert_int_equal(saved.model.groups[0].preview_bytes, 2);
	assert_int_equal(saved.model.groups[0].preview[1], 0xff);
	assert_int_equal(saved.model.nr_wrongs, 2);
	assert_int_equal(saved.model.nr_double_frees, 3);
	assert_int_equal(saved.model.wrongs[0].alloc.nr_frames, 1);
	assert_int_equal(saved.model.wrongs[1].around.size, 20);
}

static void assert_function(size_t frame, const char *function)
{
	const char *found = saved.model.sites[0].call.stack[frame].function;

	if (!function)
		assert_null(found);
	else
		assert_string_equal(found, function);
}

/* Only what is better takes the place of what was there. */
static void names_are_completed(void **state)
{
	assert_int_equal(read_text(report), 0);
	saved.model.symbolizer = (struct symbolizer *)&symbolizer;
	saved.modules[1].known = true;
	saved.modules[1].symbolizer_id = 1;
	assert_true(names_are_missing(&saved.model, 2));
	assert_false(names_are_missing(&saved.model, 1));
	assert_int_equal(names_complete(&saved.model), 0);
	assert_function(0, "inner");
	assert_function(1, "known");
	assert_function(2, "around");
	assert_function(3, "inner");	/* it had no file */
	assert_function(4, NULL);
	assert_int_equal(saved.model.sites[0].call.nr_frames, 5);
	assert_false(saved.model.nameless);
}

static void variables_are_completed(void **state)
{
	assert_int_equal(read_text(report), 0);
	saved.model.symbolizer = (struct symbolizer *)&symbolizer;
	saved.modules[1].known = true;
	saved.modules[1].symbolizer_id = 1;
	assert_true(variables_are_missing(&saved.model, 2));
	assert_false(variables_are_missing(&saved.model, 1));
	assert_int_equal(variables_resolve(&saved.model), 0);
	assert_string_equal(saved.model.sites[0].keeper.variable.function, "v\033ar\n");
	assert_string_equal(saved.model.groups[0].type.function, "v\033ar\n");
	assert_false(variables_are_missing(&saved.model, 2));
}

static void a_file_that_is_not_known_gives_no_names(void **state)
{
	assert_int_equal(read_text(report), 0);
	saved.model.symbolizer = (struct symbolizer *)&symbolizer;
	assert_int_equal(names_complete(&saved.model), 0);
	assert_function(0, NULL);
	assert_function(3, "symbol");
	assert_int_equal(saved.model.sites[0].call.nr_frames, 5);
}

/* With this in place of that. */
static void check_wrong(const char *that, const char *with, const char *expected)
{
	const char *at = strstr(report, that);
	char text[2 * sizeof(report)], wrong[SAVED_WRONG_BYTES];
	size_t used;

	assert_non_null(at);
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - report), report, with,
		 at + strlen(that));
	assert_int_equal(saved_read(&saved, text, strlen(text), &used, wrong), -EINVAL);
	if (strncmp(wrong, expected, strlen(expected)))
		fail_msg("'%s' does not begin with '%s'", wrong, expected);
}

static void what_is_wrong_is_named(void **state)
{
	check_wrong("\"pid\":42", "\"pid\":\"42\"", "target.pid: a whole number");
	check_wrong("\"pid\":42", "\"pid\":4294967296", "target.pid");
	check_wrong("\"verdict\":\"growing\"", "\"verdict\":\"fine\"", "verdict: there is no such");
	check_wrong("\"end\":\"killed\"", "\"end\":\"gone\"", "target.end");
	check_wrong("{\"signal\":9}", "null", "target.exit");
	check_wrong("\"engine\":\"jump\"", "\"engine\":\"\\u001b[2J\"", "run.engine: jump or break");
	check_wrong("T02:10:04Z", "", "run.started: a time");
	check_wrong("\"to_ns\":2,", "\"to_ns\":0,", "run.unwatched[0].from_ns: times are out");
	check_wrong("\"to_ns\":60000000000", "\"to_ns\":60000000001", "run.unwatched[1].");
	check_wrong("\"lost_events\":6", "\"lost_events\":7", "run.dropped");
	check_wrong("\"abcdef\"", "\"abcde\"", "modules[1].build_id");
	check_wrong("\"abcdef\"", "\"abcdeX\"", "modules[1].build_id");
	check_wrong("\"0x1000\"", "\"1000\"", "modules[1].bias: an address");
	check_wrong("\"0x1000\"", "\"0x10000000000000000\"", "modules[1].bias");
	check_wrong("\"0x1000\"", "\"0x-1\"", "modules[1].bias");
	check_wrong("\"offset\":\"0xb\"", "\"offset\":\"0xc\"", "sites[0].stack[0].module: no such");
	check_wrong("\"0x7\"", "\"0x1000000000000\"", "sites[0].stack[4].pc: no code");
	check_wrong("\"live_bytes\":70", "\"live_bytes\":59", "heap.live_bytes");
	check_wrong("\"sampled_allocs\":2", "\"sampled_allocs\":0", "sites[0].sampled_allocs");
	check_wrong(",{\"end_ns\":4,\"bytes\":4}", "", "sites[0].quarters");
	check_wrong("\"global\"", "\"heap\"", "sites[0].keeper.root: there is no such");
	check_wrong("\"offset\":\"0x31\"", "\"offset\":\"0x32\"", "sites[0].keeper.module");
	check_wrong("\"site\":0", "\"site\":1", "sites[0].keeper.site: there is no such");
	check_wrong("\"blocks\":7", "\"blocks\":1", "sites[0].keeper.chain: some blocks");
	check_wrong("\"0aff\"", "\"0af\"", "before_attach[0].begins_with: two digits");
	check_wrong("\"0aff\"", "\"0afX\"", "before_attach[0].begins_with");
	check_wrong("\"object\"", "\"objects\"", "before_attach[0].content: there is no such");
	check_wrong("\"offset\":\"0x41\"", "\"offset\":\"0x42\"", "before_attach[0].type.module");
	check_wrong("\"0x7000\"", "7000", "scan.heap.arenas[0].address: an address");
	check_wrong("\"used_bytes\":2", "\"used_bytes\":-2", "scan.heap.arenas[0].used_bytes");
	check_wrong("\"y\"]", "null]", "target.command: strings");
	check_wrong("\"first_free\":" CALL(""), "\"first_free\":null", "errors[0].first_free: it");
	check_wrong("\"double-free\"", "\"double\"", "errors[0].kind: double-free");
	check_wrong("\"lost\":1", "\"lost\":-1", "error_summary.lost: a whole");
}

static void variants(void **state)
{
	static char room[sizeof(report) + REPORT_GROWTH_MOST];

	for (uint64_t seed = 0; seed < NR_VARIANTS; seed++) {
		struct bytes text = { (uint8_t *)room, sizeof(report) - 1 };

		memcpy(room, report, text.nr);
		report_change(&text, seed);
		if (check_report(room, text.nr) < 0)
			fail_msg("variant %d", (int)seed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(it_is_a_report, release),
		cmocka_unit_test_teardown(names_are_completed, release),
		cmocka_unit_test_teardown(variables_are_completed, release),
		cmocka_unit_test_teardown(a_file_that_is_not_known_gives_no_names, release),
		cmocka_unit_test(what_is_wrong_is_named),
		cmocka_unit_test(variants),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
