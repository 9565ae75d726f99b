/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What reports say of wrong frees, and of which they say nothing. */
#include "report_fixture.h"

static void release_from(taddr_t address, uint64_t now_ns, code_t caller, uint32_t function)
{
	heap_event(&heap, &(struct event){ .kind = EVENT_FREE, .address = address, .time_ns = now_ns,
					   .function = function, .caller = code_pc(caller) });
}

static void free_twice(void)
{
	const code_t stack[] = { code(PROGRAM, 0x1140), code(PROGRAM, 0x1050) };

	alloc(0x10, 24, 1 * MS, stack, 2);
	release_from(0x10, 2 * MS, code(PROGRAM, 0x1050), 0);
	for (uint64_t i = 0; i < 3; i++)
		release_from(0x10, (3 + i) * MS, code(PROGRAM, 0x2000), 0);
}

static void text_of_a_double_free(void **state)
{
	free_twice();
	build(SYMBOLIZER);
	assert_string_equal(print("text"),
"DOUBLE FREE: three (pid 5120) freed what was not allocated: 3 double frees, at 1 place; see below.\n"
"NO LEAK: three (pid 5120) freed all its blocks before its exit (status 0).\n"
"\n"
"Traced   12.0 ms from 2026-11-23 02:10:04 UTC until its exit (status 0); 5 events: 0"
" dropped, 0 missed frees\n"
COST
"\n"
"HEAP SUMMARY:\n"
"    in use at exit: 0 bytes in 0 blocks\n"
"  total heap usage: 1 allocs, 1 frees, 24 bytes allocated\n"
"\n"
"DOUBLE FREE of a block of 24 bytes at 0x10, the first of 3\n"
"   freed again 1.0 ms after the first free, in the same thread\n"
"      at malloc\n"
BY_SESSION
"   first freed here\n"
"      at malloc\n"
"      by _start                    (three)\n"
"   allocated here\n"
"      at malloc(24)\n"
BY_MAIN
"\n"
"ERROR SUMMARY: 3 errors from 1 contexts (suppressed: 0 from 0)\n"
"\n"
"NEXT  DOUBLE FREE: one of the two frees is one too many.\n"
"      Of frees the caller alone is kept: --keep-stacktraces=alloc-and-free keeps their stacks.\n");
}

static void text_of_an_invalid_free(void **state)
{
	the_three();
	release_from(0x23, 6 * MS, code(PROGRAM, 0x2000), 0);
	release_from(0x100, 7 * MS, code(PROGRAM, 0x1050), 0);
	facts.free_stacks = true;
	build(SYMBOLIZER);
	assert_contains(print("text"), "INVALID FREE: three (pid 5120) freed what was not allocated:"
" 2 invalid frees, at 2 places; see below.\nUNFREED: ");
	assert_null(strstr(printed, "also freed"));
	assert_contains(printed, "\nINVALID FREE of the pointer 0x23\n"
"   freed here\n"
"      at malloc\n"
BY_SESSION
"   it is 3 bytes inside a block of 20 bytes, allocated here\n"
"      at malloc(20)\n"
BY_MAIN
"\n"
"INVALID FREE of the pointer 0x100\n"
"   freed here\n"
"      at malloc\n"
"      by _start                    (three)\n"
"   no block begins there, nor was one freed there lately\n"
"\n"
"ERROR SUMMARY: 2 errors from 2 contexts (suppressed: 0 from 0)\n"
"\n"
"NEXT  INVALID FREE: only what an allocation returned may be freed.\n"
"      " LOOK_AFTER_IT);
}

static void only_the_top_wrong_frees(void **state)
{
	free_twice();
	release_from(0x100, 7 * MS, code(PROGRAM, 0x1050), 0);
	style.top = 1;
	build(SYMBOLIZER);
	assert_contains(print("text"), ": 3 double frees and 1 invalid free, at 2 places; see below.\n");
	assert_contains(printed, "\n(1 more place of wrong frees: -n 0 shows all)\n");
	assert_null(strstr(printed, "INVALID FREE of"));
}

static void json_of_wrong_frees(void **state)
{
	free_twice();
	alloc(0x20, 20, 6 * MS, NULL, 0);
	release_from(0x30, 7 * MS, 0, 1);
	style.one_line = true;
	build(NULL);
	print("json");
	assert_contains(printed, "\"errors\":[{\"kind\":\"double-free\",\"count\":3,\"address\":\"0x10\","
"\"size\":24,\"by_resize\":false,\"first_by_resize\":false,\"same_thread\":true,\"block\":null,\"free\":{\"function\":\"malloc\",\"time_ns\":3000000,"
"\"stack\":[{\"pc\":\"0x555555556000\",\"function\":null,\"file\":null,\"line\":0,"
"\"module\":\"/home/u/three\",\"offset\":\"0x2000\",\"inlined\":false}],\"truncated\":false},"
"\"first_free\":{\"function\":\"malloc\",\"time_ns\":2000000,\"stack\":[");
	assert_contains(printed, "\"allocation\":{\"function\":\"malloc\",\"time_ns\":1000000,\"stack\":[");
	assert_contains(printed, "{\"kind\":\"invalid-free\",\"count\":1,\"address\":\"0x30\",\"size\":null,\"by_resize\":false,\"first_by_resize\":false,"
"\"same_thread\":null,\"block\":{\"address\":\"0x20\",\"size\":20},\"free\":{\"function\":\"realloc\","
"\"time_ns\":7000000,\"stack\":[],\"truncated\":false},\"first_free\":null,"
"\"allocation\":{\"function\":\"malloc\",\"time_ns\":6000000,\"stack\":[],\"truncated\":false}}],"
"\"error_summary\":{\"errors\":4,\"contexts\":2,\"leaks\":0,\"frees_judged\":true,\"lost\":0,\"suppressed\":0,\"suppressed_contexts\":0}}");
}

/* It cannot be told what was there before; and the caller's module is one of two. */
static void caller_in_no_one_module(void **state)
{
	static struct run_module twice[2];

	twice[0] = twice[1] = modules[0];
	facts.modules = twice;
	facts.nr_modules = 2;
	free_twice();
	build(SYMBOLIZER);
	assert_contains(print("text"), "      at malloc\n      (no caller could be found)\n   first freed");
}

static void claims(bool any)
{
	build(SYMBOLIZER);
	assert_int_equal(model.nr_wrongs, any);
	assert_int_equal(model.nr_double_frees, any ? 3 : 0);
	print("text");
	assert_int_equal(strstr(printed, "DOUBLE FREE") != NULL, any);
	assert_int_equal(strstr(printed, "ERROR SUMMARY") != NULL, model.judges_frees);
	model_release(&model);
}

static void what_is_not_claimed(void **state)
{
	free_twice();
	claims(true);
	facts.incomplete = "something was lost";
	claims(false);
	facts.incomplete = NULL;
	facts.found_late = true;
	claims(false);
	facts.found_late = false;
	heap.missed_frees = 1;
	claims(false);
	heap.missed_frees = 0;
	heap.wrong.is_blind = true;
	claims(false);
	heap.wrong.is_blind = false;
	functions[0].is_named = true;
	claims(false);
	functions[0].is_named = false;
	functions[1].is_named = true;
	claims(true);
	functions[1].is_named = false;
	claims(true);
}

/* Other allocators may have functions that nobody knows. */
static void unknown_allocators(void **state)
{
	facts.knows_allocators = false;
	free_twice();
	claims(true);
	heap.wrong.is_whole = false;
	claims(false);
	heap.wrong.is_whole = true;
	release_from(0x100, 9 * MS, code(PROGRAM, 0x1050), 0);
	claims(false);
	facts.knows_allocators = true;
	functions[1].is_named = true;
	claims(true);
	functions[1].is_named = false;
}

/* glibc in the program itself: its calls are known by their names alone. */
static void cleanup_in_a_static_program(void **state)
{
	free_twice();
	functions[0].of_program = true;
	claims(true);
	start_frames[0].function = "__malloc_arena_thread_freeres";
	release_from(0x10, 9 * MS, code(PROGRAM, 0x1050), 0);
	claims(true);
	start_frames[0].function = "_start";
	build(NULL);
	assert_int_equal(model.nr_wrongs, 0);
	functions[0].of_program = false;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(text_of_a_double_free), CASE(text_of_an_invalid_free),
		CASE(only_the_top_wrong_frees), CASE(json_of_wrong_frees),
		CASE(caller_in_no_one_module), CASE(what_is_not_claimed),
		CASE(unknown_allocators), CASE(cleanup_in_a_static_program),
	};

	return cmocka_run_group_tests_name("report_wrong", tests, NULL, NULL);
}
