/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text report, word for word: first lines, places, names, and what is hostile in them. */
#include <jansson.h>

#include "../../tracer/report/variables.h"
#include "report_fixture.h"

static void text_of_the_three(void **state)
{
	the_three();
	build(SYMBOLIZER);
	assert_string_equal(print("text"),
"UNFREED: three (pid 5120) left 20 bytes in 1 block unfreed by its exit (status 0), at 1 place.\n"
"         That is not yet a leak: nothing has looked whether anything still pointed to it.\n"
"\n"
"Traced   12.0 ms from 2026-11-23 02:10:04 UTC until its exit (status 0); 5 events: 0"
" dropped, 0 missed frees\n"
COST
"\n"
"HEAP SUMMARY:\n"
"    in use at exit: 20 bytes in 1 blocks\n"
"  total heap usage: 3 allocs, 2 frees, 60 bytes allocated\n"
"\n"
"1. UNFREED 20 bytes in 1 block\n"
"   allocated here: 1, freed: 0\n"
"      at malloc(20)\n"
BY_MAIN
"\n"
NO_ERRORS
"\n"
"NEXT  " LOOK_AFTER_IT);
}

static void text_of_samples(void **state)
{
	be_sampled(2000);
	facts.unsampled = 2;
	build(SYMBOLIZER);
	print("text");
	assert_contains(printed, "UNFREED: three (pid 5120) left about 5.57 KiB (+- 48 %) in about 5"
" blocks (2 sampled) unfreed by its exit (status 0), at 2 sampled places (1, 2).\n");
	assert_contains(printed, "\nSampled  4 allocations, one in 1.95 KiB on average; figures are"
" estimates, +- one standard error\n         not 2 functions, which may throw: what C++ new"
" allocates there is missing\n");
	assert_contains(printed,
"    in use at exit: about 5.57 KiB (+- 48 %) in about 5 blocks (2 sampled)\n"
"  total heap usage: about 18 allocs, about 13 frees, about 10.1 KiB (+- 38 %) allocated\n");
	assert_contains(printed, "\n1. UNFREED about 3.09 KiB (+- 61 %) in about 2 blocks (1 sampled)\n"
"   allocated here: about 15, freed: about 13 after 3.0 ms (3.0 ms to 3.0 ms)\n");
}

static void text_of_samples_all_freed(void **state)
{
	be_sampled(2000);
	release(0x4000, 7 * MS);
	release(0x8000, 7 * MS);
	build(SYMBOLIZER);
	assert_int_equal(model.verdict, VERDICT_NO_LEAK_SEEN);
	assert_contains(print("text"), "NO LEAK SEEN in 12.0 ms: 4 sampled blocks of three (pid 5120)"
" were all freed.\n              Places that allocate little may have no sample.\n");
	assert_contains(printed, "    in use at exit: none of what was sampled\n");
}

static void text_of_no_sample(void **state)
{
	facts.sample_bytes = 512 << 10;
	heap_sample(&heap, facts.sample_bytes);
	build(SYMBOLIZER);
	assert_contains(print("text"), "NO LEAK SEEN in 12.0 ms: no allocation of three (pid 5120) was"
" sampled: nothing can be said of it.\n              One sample is drawn in 512 KiB on average: a"
" smaller --sample, or none, sees more.\n");
}

static void text_of_a_service(void **state)
{
	be_a_service();
	serve();
	build(SYMBOLIZER);
	assert_string_equal(print("text"),
"GROWING: 1 place (1) gained 288,000 bytes, +4,800 bytes/s, in all four quarters of the"
" trace of orderd (pid 4711).\n"
"         A cache that is filling looks the same as one without a bound, or as a leak.\n"
"UNFREED: orderd (pid 4711) allocated and did not free 2,180 bytes in 21 blocks in 60.0"
" s, at 1 place (2).\n"
"         That is not yet a leak: nothing has looked whether anything still points to them.\n"
"\n"
"Traced   60.0 s from 2026-11-23 02:10:04 UTC; 17,980 events: 0 dropped, 0 missed frees\n"
"Cost     paused 2.1 ms (attach), 1.8 ms (detach); 8 stops, handled in 0.04 ms; stopped 2.5 % of its"
" time;"
" engine break\n"
"Process  RSS 131.4 -> 133.7 MiB (+2.3 MiB); traced blocks in use 0.3 MiB\n"
"\n"
"HEAP SUMMARY:\n"
"    in use at detach: 290,180 bytes in 6,021 blocks allocated since the attach\n"
"  total heap usage: 12,000 allocs, 5,979 frees, 905,160 bytes allocated since the attach\n"
"        also freed: 1 block from before the attach\n"
"\n"
"1. GROWING 288,000 bytes in 6,000 blocks, +4,800 bytes/s\n"
"   allocated here: 6,000, freed: 0; ages 10.0 ms to 60.0 s; oldest 0x100000\n"
"   live after 16/32/44/60 s: 76,800 153,600 211,200 288,000 bytes\n"
"      at operator new(48)\n"
BY_SESSION
"      by _start                               (three)\n"
"\n"
"2. UNFREED 2,180 bytes in 21 blocks\n"
"   allocated here: 6,000, freed: 5,979 after 0.20 s (0.20 s to 0.20 s); ages 10.0 ms to"
" 60.0 s; oldest 0x8000000\n"
"      at malloc\n"
"      by libplug.so.1+0x4242\n"
"      by _start                    (three)\n"
"      by [jit] 0x1234\n"
"\n"
"libplug.so.1 has no debug info (build-id 1234): 1 of 2 places shows no line; see --debug-dir\n"
"Debug packages, --debug-dir or DEBUGINFOD_URLS give lines; of a JSON report also later: --resolve\n"
"\n"
NO_ERRORS
"\n"
"NEXT  " LOOK_AFTER_IT
"      GROWING: is there a bound to what keeps these blocks?\n"
"      A longer trace tells a cache that is filling from one without a bound: -d 600\n");
}

static void growing_comes_first(void **state)
{
	be_a_service();
	serve();
	build(SYMBOLIZER);
	assert_int_equal(model.verdict, VERDICT_GROWING);
	assert_int_equal(model.nr_growing, 1);
	assert_int_equal(model.growing_blocks, 6000);
	assert_int_equal(model.nr_bare_modules, 1);
	assert_int_equal(model.bare_modules[0].module, LIBRARY - 1);
	assert_int_equal(model.bare_modules[0].nr_sites, 1);
}

static void endings(void **state)
{
	the_three();
	facts.end = RUN_KILLED;
	facts.end_value = 9;
	first_line("UNFREED: three (pid 5120) left 20 bytes in 1 block unfreed when signal 9"
		   " (Killed) ended it, at 1 place.\n");
	facts.end = RUN_LOST;
	first_line("UNFREED: three (pid 5120) left 20 bytes in 1 block unfreed when it ended (how"
		   " is not known), at 1 place.\n");
	facts.end = RUN_DETACHED;
	first_line("UNFREED: three (pid 5120) allocated and did not free 20 bytes in 1 block in"
		   " 12.0 ms, at 1 place.\n");
	facts.launched = false;
	facts.end = RUN_EXITED;
	facts.end_value = 3;
	first_line("UNFREED: three (pid 5120) allocated and did not free 20 bytes in 1 block in"
		   " 12.0 ms, until its exit (status 3), at 1 place.\n");
}

static void nothing_wrong(void **state)
{
	first_line("NO LEAK: three (pid 5120) allocated nothing before its exit (status 0).\n");
	the_three();
	release(0x20, 6 * MS);
	first_line("NO LEAK: three (pid 5120) freed all its blocks before its exit (status 0).\n");
	facts.launched = false;
	first_line("NO LEAK SEEN in 12.0 ms: all that three (pid 5120) allocated was freed.\n");
}

static void incomplete(void **state)
{
	the_three();
	facts.incomplete = "it had \033[1m no memory";
	first_line("INCOMPLETE: three (pid 5120): it had \\x1b[1m no memory;\n"
		   "            nothing may be concluded from what follows.\nUNFREED: three ");
	facts.incomplete = NULL;
	heap.totals.lost_events = 1;
	first_line("INCOMPLETE: three (pid 5120): no memory to keep 1 event;\n");
}

static void only_the_top(void **state)
{
	for (uint64_t i = 0; i < 13; i++)
		alloc(0x100 + i * 16, 1000 - i, i, (code_t[]){ code(PROGRAM, 0x9000 + i) }, 1);
	style.top = 3;
	build(SYMBOLIZER);
	assert_contains(print("text"), "\n3. UNFREED 998 bytes in 1 block\n");
	assert_null(strstr(printed, "\n4. "));
	assert_contains(printed, "\n(10 more places: -n 0 shows all)\n");
	assert_contains(printed, ", at 13 places (1, 2, 3, 4, 5, 6, 7, 8, ...).\n");
	style.top = 0;
	assert_contains(print("text"), "\n13. UNFREED 988 bytes in 1 block\n");
	assert_null(strstr(printed, "more place"));
}

static void ranked_by_bytes_blocks_and_time(void **state)
{
	static const uint64_t expected[] = { 0x9003, 0x9001, 0x9002, 0x9000 };

	alloc(0x10, 5, 1, (code_t[]){ code(PROGRAM, 0x9000) }, 1);
	alloc(0x20, 10, 2, (code_t[]){ code(PROGRAM, 0x9001) }, 1);
	alloc(0x30, 10, 3, (code_t[]){ code(PROGRAM, 0x9002) }, 1);
	alloc(0x40, 5, 4, (code_t[]){ code(PROGRAM, 0x9003) }, 1);
	alloc(0x50, 5, 5, (code_t[]){ code(PROGRAM, 0x9003) }, 1);
	build(SYMBOLIZER);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(place_offset(&modules[0], model.sites[i].call.stack[0].code),
				 expected[i]);
	assert_int_equal(model.sites[0].oldest_ns, 4);
	assert_int_equal(model.sites[0].newest_ns, 5);
	assert_int_equal(model.sites[0].oldest_address, 0x40);
}

static void without_names(void **state)
{
	the_three();
	build(NULL);
	assert_true(model.nameless);
	assert_contains(print("text"), "      by three+0x1140\n      by three+0x1050\n\n"
			"Names were not looked up.\n");
	assert_string_equal(print("folded"), "three+0x1050;three+0x1140 20\n");
}

static void symbolizer_dead(void **state)
{
	the_three();
	broken = true;
	build(SYMBOLIZER);
	assert_contains(print("text"), "Names are missing: looking them up failed.\n");
	assert_int_equal(model.tables.nr, 0);
}

static void each_module_is_asked_once(void **state)
{
	be_a_service();
	serve();
	build(SYMBOLIZER);
	assert_int_equal(nr_questions, 3);
	model_release(&model);
	assert_int_equal(nr_released, 3);
}

static void array_new(void **state)
{
	alloc(0x10, 5, 1, (code_t[]){ code(LIBCXX, 0x1010), code(LIBCXX, 0x1020),
				      code(PROGRAM, 0x1140) }, 3);
	build(SYMBOLIZER);
	assert_string_equal(model.sites[0].call.function, "operator new[]");
	assert_int_equal(model.sites[0].call.nr_frames, 1);
	assert_string_equal(model.sites[0].call.stack[0].function, "main");
}

static void colors(void **state)
{
	the_three();
	style.color = true;
	first_line("\033[1;33mUNFREED: \033[0mthree");
}

/* --- what comes from the target --- */

static void evil_names(void **state)
{
	alloc(0x10, 5, 1, (code_t[]){ code(PROGRAM, 0x3000) }, 1);
	build(SYMBOLIZER);
	assert_contains(print("text"),
			"      by evil\\x1b[2J;\\x0a\\u009b\xef\xbf\xbd\\x7f  e\\x09vil.c:7\n");
	assert_string_equal(print("folded"), "evil\\x1b[2J:\\x0a\\u009b\xef\xbf\xbd\\x7f 5\n");
	assert_contains(print("json"), "\"evil\\u001B[2J;\\n\\u009B\\uFFFD\\u007F\"");
}

static void name_of_a_megabyte(void **state)
{
	json_t *document;

	long_name = malloc(1 << 20);
	memset(long_name, 'x', (1 << 20) - 1);
	long_name[(1 << 20) - 1] = '\0';
	alloc(0x10, 5, 1, (code_t[]){ code(PROGRAM, 0x4000) }, 1);
	build(SYMBOLIZER);
	assert_contains(print("text"), "xxxx...  long.c:1\n");
	assert_true(strlen(printed) < 2000);
	assert_contains(print("folded"), "xxxx... 5\n");
	document = json_loads(print("json"), 0, NULL);
	assert_non_null(document);
	json_decref(document);
	free(long_name);
	long_name = NULL;
}

static struct model_step steps[6];

/* The first row is that of a bucket, whose place the second one has. */
static void be_kept(enum root_kind kind, uint64_t nr_blocks, size_t nr_steps)
{
	static const char path[] = "/home/u/three";

	for (size_t i = 0; i < nr_steps; i++)
		steps[i] = (struct model_step){
			.address = 0x1000 + i * 0x100, .bytes = 64 + i, .row = MODEL_NO_ROW,
			.slot = 0x1000 + i * 0x100 - 0xf0,
		};
	steps[nr_steps - 1].row = 0;
	model.sites[0].keeper = (struct model_keeper){
		.nr_blocks = nr_blocks, .kind = kind, .tid = 77, .path = kind ? "" : path,
		.place = kind ? 0x7f0000001230 : code(PROGRAM, 0x4030),
		.steps = steps, .nr_steps = nr_steps,
	};
}

static void check_keeper(const char *expected)
{
	style.kinds = SITE_KINDS_ALL;
	assert_contains(print("text"), expected);
}

static void kept_by_a_variable(void **state)
{
	the_three();
	build(SYMBOLIZER);
	be_kept(ROOT_MODULE, 1, 1);
	check_keeper("      kept by  three+0x4030\n\nERROR");
	assert_true(variables_are_missing(&model, PROGRAM));
	assert_int_equal(variables_resolve(&model), 0);
	check_keeper("      kept by  g_\\x1bcache+0x30 (cache.c:11) in three\n\nERROR");
	assert_contains(print("json"), "\"offset\": \"0x4030\"");
}

static void kept_by_others(void **state)
{
	the_three();
	build(SYMBOLIZER);
	be_kept(ROOT_STACK, 1, 1);
	check_keeper("      kept by  the stack of thread 77\n");
	be_kept(ROOT_REGISTERS, 1, 1);
	check_keeper("      kept by  a register of thread 77\n");
	be_kept(ROOT_THREAD, 1, 1);
	check_keeper("      kept by  thread-local storage of thread 77\n");
	be_kept(ROOT_OTHER, 1, 1);
	check_keeper("      kept by  memory outside the heap at 0x7f0000001230\n");
	model.sites[0].keeper.path = "/dev/sh\033m";
	check_keeper("      kept by  memory outside the heap at 0x7f0000001230 (sh\\x1bm)\n");
}

static void kept_by_blocks(void **state)
{
	the_three();
	build(SYMBOLIZER);
	be_kept(ROOT_STACK, 2, 2);
	check_keeper("thread 77\n           ->  0x1000+0x10             64 bytes, not seen allocated\n"
		     "           ->  0x1100                  65 bytes of 1\n\nERROR");
	style.top = 0;
	be_kept(ROOT_STACK, 5, 5);
	check_keeper("           ->  0x1300+0x10             67 bytes, not seen allocated\n"
		     "           ->  0x1400                  68 bytes of 1\n\nERROR");
	be_kept(ROOT_STACK, 1000000, 6);
	check_keeper("           ->  0x1200+0x10             66 bytes, not seen allocated\n"
		     "           ->  ... 999,996 more blocks\n"
		     "           ->  0x1500                  69 bytes of 1\n\nERROR");
	steps[1].slot = 0;
	check_keeper("           ->  0x1000                  64 bytes, not seen allocated\n");
}

/* Instead of a scan's: of the kinds and contents that there are. */
static void be_from_before(void)
{
	static const struct model_group groups[] = {
		{ .kind = SITE_DEFINITE, .content = CONTENT_TEXT, .size = 24, .bytes = 2448, .blocks = 102,
		  .example = 0x5000, .preview = "a \033name", .preview_bytes = 24,
		  .indirect = { 320, 4 } },
		{ .kind = SITE_REACHABLE, .content = CONTENT_OBJECT, .size = 520, .bytes = 41600000,
		  .blocks = 80000, .example = 0x6000 },
		{ .kind = SITE_REACHABLE, .content = CONTENT_OTHER, .bytes = 3, .blocks = 1,
		  .example = 0x7000, .preview = "\001\377", .preview_bytes = 2 },
		{ .kind = SITE_POSSIBLE, .content = CONTENT_ZEROS, .size = 2, .bytes = 2, .blocks = 1,
		  .example = 0x8000 },
		{ .kind = SITE_INDIRECT, .content = CONTENT_POINTERS, .size = 80, .bytes = 320,
		  .blocks = 4, .example = 0x9000 },
	};

	model.groups = malloc(sizeof(groups));
	assert_non_null(model.groups);
	memcpy(model.groups, groups, sizeof(groups));
	model.nr_groups = model.nr_groups_named = sizeof(groups) / sizeof(*groups);
	model.groups[1].table = code(PROGRAM, 0x4100);
	be_kept(ROOT_MODULE, 1, 1);
	model.groups[1].keeper = model.sites[0].keeper;
	model.sites[0].keeper = (struct model_keeper){ 0 };
}

static void from_before_the_attach(void **state)
{
	facts.launched = false;
	facts.end = RUN_DETACHED;
	the_three();
	build(SYMBOLIZER);
	be_from_before();
	style.kinds = SITE_KINDS_DEFAULT;
	assert_contains(print("text"),
"\nFROM BEFORE THE ATTACH: 41,602,773 bytes in 80,108 blocks; nobody saw where they were allocated\n"
"          2,448 bytes in       102 blocks of 24         LOST       \"a \\x1bname\"\n"
"                                                         with 320 bytes in 4 blocks that only they"
" lead to\n"
"     41,600,000 bytes in    80,000 blocks of 520        reachable  of three+0x4100\n"
"                                                         kept by  three+0x4030\n"
"              3 bytes in         1 block  of any size   reachable  01 ff at 0x7000\n"
"              2 bytes in         1 block  of 2          possible   zeros at 0x8000\n\n");
	assert_int_equal(variables_resolve(&model), 0);
	assert_contains(print("text"), "reachable  of g_\\x1bcache\n");
	style.kinds = SITE_KINDS_ALL;
	style.top = 4;
	assert_contains(print("text"), "zeros at 0x8000\n(1 more: -n 0 shows all)\n");
	style.top = 0;
	assert_contains(print("text"), "of 80         indirect   pointers\n");
	style.summary = true;
	assert_null(strstr(print("text"), "FROM BEFORE THE"));
}

/* Of a command nobody asks for what its loader has. */
static void not_seen_at_all(void **state)
{
	the_three();
	build(SYMBOLIZER);
	be_from_before();
	style.kinds = SITE_KINDS_DEFAULT;
	assert_contains(print("text"), "\nNOT SEEN: 41,602,773 bytes");
	assert_null(strstr(printed, "41,600,000 bytes"));
	assert_contains(printed, "LOST       \"a");
	style.kinds = 0;
	assert_null(strstr(print("text"), "NOT SEEN"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(text_of_the_three), CASE(text_of_samples), CASE(text_of_samples_all_freed),
		CASE(text_of_no_sample), CASE(text_of_a_service), CASE(growing_comes_first),
		CASE(endings), CASE(nothing_wrong), CASE(incomplete), CASE(only_the_top),
		CASE(ranked_by_bytes_blocks_and_time), CASE(without_names),
		CASE(symbolizer_dead), CASE(each_module_is_asked_once), CASE(array_new),
		CASE(colors), CASE(kept_by_a_variable), CASE(kept_by_others), CASE(kept_by_blocks),
		CASE(from_before_the_attach), CASE(not_seen_at_all),
		CASE(evil_names), CASE(name_of_a_megabyte),
	};

	return cmocka_run_group_tests_name("report_text", tests, NULL, NULL);
}
