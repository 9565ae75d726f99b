/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The reports, word for word.  The symbolizer here is a table: the library's own is not linked,
 * since all its functions that a report uses are defined below.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>
#include <cmocka.h>

#include "../../tracer/report/places.h"
#include "../../tracer/report/report.h"
#include "../../tracer/report/saved.h"
#include "../../tracer/report/templates.h"
#include "../../tracer/report/units.h"

#define MS 1000000ull
#define SECOND (1000 * MS)

enum { PROGRAM = 1, LIBRARY, LIBCXX };

#define PROGRAM_BIAS 0x555555554000
#define LIBRARY_BIAS 0x7f0000000000
#define LIBCXX_BIAS 0x7f1000000000

/* --- a symbolizer of ours --- */

static const struct symbol_frame main_frames[] = { { "main", "/src/three.c", 5, false } };
static const struct symbol_frame inlined_frames[] = {
	{ "Pool::take(unsigned long)", "/src/pool.h", 12, true },
	{ "Session::open(int)", "/src/session.cc", 19, false },
};
static struct symbol_frame start_frames[] = { { "_start", NULL, 0, false } };
static const struct symbol_frame new_frames[] = {
	{ "operator new(unsigned long)", NULL, 0, false },
};
static const struct symbol_frame new_array_frames[] = {
	{ "operator new[](unsigned long)", NULL, 0, false },
};
static const struct symbol_frame evil_frames[] = {
	{ "evil\033[2J;\n\xc2\x9b\xff\x7f", "/src/e\tvil.c", 7, false },
};
static char *long_name;

static int nr_questions, nr_released;
static bool broken;

static struct symbol_frames lookup(uint32_t module, uint64_t vaddr)
{
	static struct symbol_frame long_frame;

	long_frame = (struct symbol_frame){ long_name, "/src/long.c", 1, false };
	if (module == LIBCXX)
		return vaddr == 0x100f ? (struct symbol_frames){ new_frames, 1 } :
					 (struct symbol_frames){ new_array_frames, 1 };
	if (module != PROGRAM)
		return (struct symbol_frames){ NULL, 0 };
	switch (vaddr) {
	case 0x113f:
		return (struct symbol_frames){ main_frames, 1 };
	case 0x104f:
		return (struct symbol_frames){ start_frames, 1 };
	case 0x1fff:
		return (struct symbol_frames){ inlined_frames, 2 };
	case 0x2fff:
		return (struct symbol_frames){ evil_frames, 1 };
	case 0x3fff:
		return (struct symbol_frames){ &long_frame, 1 };
	}
	return (struct symbol_frames){ NULL, 0 };
}

int symbolizer_frames(struct symbolizer *symbolizer, uint32_t module, const uint64_t *vaddrs,
		      size_t nr, struct symbol_frames *out_frames, struct symbol_table **out)
{
	nr_questions++;
	if (broken)
		return -EPIPE;
	for (size_t i = 0; i < nr; i++)
		out_frames[i] = lookup(module, vaddrs[i]);
	*out = NULL;
	return 0;
}

void symbol_table_release(struct symbol_table *table)
{
	nr_released++;
}

bool symbolizer_lacks_debug_info(const struct symbolizer *symbolizer, uint32_t module)
{
	return module != PROGRAM;
}

int symbolizer_source_line(struct symbolizer *symbolizer, const char *path, uint32_t line,
			   char *buffer, size_t bytes)
{
	if (strcmp(path, "/src/three.c"))
		return -ENOENT;
	snprintf(buffer, bytes, "char *b =\tmalloc(20);");
	return 0;
}

#define SYMBOLIZER ((struct symbolizer *)&broken)

/* --- a run of ours --- */

static const uint8_t program_id[] = { 0xab, 0xcd, 0x01 }, library_id[] = { 0x12, 0x34 };
static const struct run_module modules[] = {
	{ "/home/u/three", PROGRAM_BIAS, PROGRAM_BIAS, PROGRAM_BIAS + 0x10000, PROGRAM, true,
	  program_id, sizeof(program_id), false },
	{ "/usr/lib/libplug.so.1", LIBRARY_BIAS, LIBRARY_BIAS, LIBRARY_BIAS + 0x10000, LIBRARY, true,
	  library_id, sizeof(library_id), false },
	{ "/usr/lib/libstdc++.so.6", LIBCXX_BIAS, LIBCXX_BIAS, LIBCXX_BIAS + 0x10000, LIBCXX, true,
	  NULL, 0, false },
};
static struct run_function functions[] = {
	{ "malloc", "/usr/lib/libc.so.6", "break", false, false },
	{ "realloc", "/usr/lib/libc.so.6", "break", false, false },
};
static char *command[] = { "./three", "-\xff", NULL };

static struct heap heap;
static struct run_facts facts;
static struct model model;
static struct report_style style;
static char *printed;

static int setup(void **state)
{
	facts = (struct run_facts){
		.pid = 5120,
		.command = command,
		.exe = "/home/u/three",
		.name = "three",
		.launched = true,
		.knows_allocators = true,
		.end = RUN_EXITED,
		.engine = "break",
		.started = { .tv_sec = 1795399804 },
		.duration_ns = 12 * MS,
		.stops = 8,
		.handled_ns = 40000,
		.overhead = { .stopped_ns = 100000, .ran_ns = 3900000, .share_ppm = 25000 },
		.functions = functions,
		.nr_functions = 2,
		.modules = modules,
		.nr_modules = 3,
	};
	style = (struct report_style){ .top = 10 };
	printed = NULL;
	nr_questions = nr_released = 0;
	broken = false;
	return heap_init(&heap);
}

static int teardown(void **state)
{
	model_release(&model);
	heap_deinit(&heap);
	free(printed);
	return 0;
}

static code_t code(uint32_t module, uint64_t offset)
{
	return code_make(module, modules[module - 1].bias + offset);
}

static void alloc(taddr_t address, uint64_t size, uint64_t now_ns, const code_t *stack,
		  uint32_t nr)
{
	heap_event(&heap, &(struct event){ .kind = EVENT_ALLOC, .address = address, .size = size,
					   .time_ns = now_ns, .stack = stack, .nr_frames = nr });
}

static void release(taddr_t address, uint64_t now_ns)
{
	heap_event(&heap, &(struct event){ .kind = EVENT_FREE, .address = address,
					   .time_ns = now_ns });
}

static void build(struct symbolizer *symbolizer)
{
	assert_int_equal(model_build(&model, &facts, &heap, symbolizer, 0), 0);
}

static char *print_model(const struct model *of, const char *format)
{
	char *text;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	assert_int_equal(report_format_find(format)->print(of, &style, out), 0);
	fclose(out);
	return text;
}

/* Whatever it is, it is the same from a report that was read back. */
static void check_saved(const char *format, const char *expected)
{
	char *json = print_model(&model, "json"), *again, wrong[SAVED_WRONG_BYTES];
	size_t bytes = strlen(json), used;
	struct saved saved;

	if (saved_read(&saved, json, bytes, &used, wrong))
		fail_msg("%s in %s", wrong, json);
	assert_int_equal(used, bytes - 1);
	assert_int_equal(saved_read(&saved, json + used, bytes - used, &used, wrong), -ENODATA);
	saved.model.symbolizer = model.symbolizer;
	assert_int_equal(model_settle_names(&saved.model), 0);
	again = print_model(&saved.model, format);
	assert_string_equal(again, expected);
	saved_release(&saved);
	free(again);
	free(json);
}

static const char *print(const char *format)
{
	free(printed);
	printed = print_model(&model, format);
	if (model.nr_named == model.nr_sites && !model.nameless)
		check_saved(format, printed);
	return printed;
}

static void assert_contains(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("not found:\n%s\nin:\n%s", part, text);
}

static void the_three(void)
{
	const code_t first[] = { code(PROGRAM, 0x1130), code(PROGRAM, 0x1050) };
	const code_t second[] = { code(PROGRAM, 0x1140), code(PROGRAM, 0x1050) };
	const code_t third[] = { code(PROGRAM, 0x1150), code(PROGRAM, 0x1050) };

	alloc(0x10, 10, 1 * MS, first, 2);
	alloc(0x20, 20, 2 * MS, second, 2);
	alloc(0x40, 30, 3 * MS, third, 2);
	release(0x10, 4 * MS);
	release(0x40, 5 * MS);
}

/* --- text --- */

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
"Cost     8 stops, handled in 0.04 ms; stopped 2.5 % of its time; engine break\n"
"\n"
"HEAP SUMMARY:\n"
"    in use at exit: 20 bytes in 1 blocks\n"
"  total heap usage: 3 allocs, 2 frees, 60 bytes allocated\n"
"\n"
"1. UNFREED 20 bytes in 1 block\n"
"   allocated here: 1, freed: 0\n"
"      at malloc(20)\n"
"      by main                      three.c:5\n"
"            5 |  char *b = malloc(20);\n"
"\n"
"ERROR SUMMARY: 0 errors from 0 contexts (suppressed: 0 from 0)\n"
"\n"
"NEXT  The line is where a block was allocated; look after it for the missing free.\n");
}

/* Four samples, of which two are live. */
static void be_sampled(uint64_t mean_bytes)
{
	const code_t first[] = { code(PROGRAM, 0x1130), code(PROGRAM, 0x1050) };
	const code_t second[] = { code(PROGRAM, 0x1140), code(PROGRAM, 0x1050) };

	facts.sample_bytes = mean_bytes;
	heap_sample(&heap, mean_bytes);
	alloc(0x1000, 1000, 1 * MS, first, 2);
	alloc(0x2000, 200, 2 * MS, first, 2);
	alloc(0x4000, 1000, 3 * MS, second, 2);
	release(0x1000, 4 * MS);
	release(0x2000, 5 * MS);
	alloc(0x8000, 2000, 6 * MS, first, 2);
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

static void rounded_units(void **state)
{
	assert_string_equal(units_about(999).text, "999");
	assert_string_equal(units_about(1098600).text, "1,100,000");
	assert_string_equal(units_about(9999).text, "10,000");
	assert_string_equal(units_size(0).text, "0 bytes");
	assert_string_equal(units_size(1023).text, "1,023 bytes");
	assert_string_equal(units_size(512 << 10).text, "512 KiB");
	assert_string_equal(units_size(1100000).text, "1.05 MiB");
	assert_string_equal(units_size(1048575).text, "1.00 MiB");
	assert_string_equal(units_error(3, 100).text, "+- 3 %");
	assert_string_equal(units_error(3, 1000).text, "+- 0.3 %");
	assert_string_equal(units_error(0, 0).text, "+- 0 %");
	assert_string_equal(units_error(30, 10).text, "+- 300 %");
}

static void be_a_service(void)
{
	heap_begin_late(&heap, false);
	facts.launched = false;
	facts.end = RUN_DETACHED;
	facts.pid = 4711;
	facts.name = "orderd";
	facts.duration_ns = 60 * SECOND;
	facts.attach_pause_ns = 2100000;
	facts.detach_pause_ns = 1800000;
	facts.rss_start_bytes = 137782886;
	facts.rss_end_bytes = 140194611;
}

/* One place keeps all it allocates, one frees each block after 0.2 s. */
static void serve(void)
{
	const code_t grows[] = { code(LIBCXX, 0x1010), code(PROGRAM, 0x2000),
				 code(PROGRAM, 0x1050) };
	const code_t plug[] = { code(LIBRARY, 0x4242), code(PROGRAM, 0x1050),
				code_make(0, 0x1234) };

	for (uint64_t i = 0; i < 6000; i++) {
		alloc(0x100000 + i * 64, 48, i * 10 * MS, grows, 3);
		alloc(0x8000000 + i * 64, i % 7 ? 100 : 120, i * 10 * MS, plug, 3);
		if (i > 20)
			release(0x8000000 + (i - 20) * 64, i * 10 * MS);
	}
	release(0x99, 60 * SECOND);
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
"      by Pool::take(unsigned long) [inlined]  pool.h:12\n"
"      by Session::open(int)                   session.cc:19\n"
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
"ERROR SUMMARY: 0 errors from 0 contexts (suppressed: 0 from 0)\n"
"\n"
"NEXT  The line is where a block was allocated; look after it for the missing free.\n"
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

static void first_line(const char *expected)
{
	const char *text;

	build(SYMBOLIZER);
	text = print("text");
	if (strncmp(text, expected, strlen(expected)))
		fail_msg("not the first line:\n%s\nof:\n%s", expected, text);
	model_release(&model);
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
	assert_int_equal(model.nr_tables, 0);
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

static void inert_text(void **state)
{
	char buffer[16];

	assert_string_equal(inert(buffer, 16, "plain \xc3\xa9"), "plain \xc3\xa9");
	assert_string_equal(inert(buffer, 16, "\033[m\x7f"), "\\x1b[m\\x7f");
	assert_string_equal(inert(buffer, 16, "\xe2\x80\xae\xc2\x85"), "\\u202e\\u0085");
	assert_string_equal(inert(buffer, 16, "\xe2\x81\xa9"), "\\u2069");
	assert_string_equal(inert(buffer, 16, "\xc0\xaf"), "\xef\xbf\xbd\xef\xbf\xbd");
	assert_string_equal(inert(buffer, 16, "\xed\xa0\x80" + 2), "\xef\xbf\xbd");
	assert_string_equal(inert(buffer, 16, "\xf4\x8f\xbf\xbf"), "\xf4\x8f\xbf\xbf");
	assert_string_equal(inert(buffer, 16, "\xe2\x82"), "\xef\xbf\xbd\xef\xbf\xbd");
}

static void inert_that_does_not_fit(void **state)
{
	char buffer[8];

	assert_string_equal(inert(buffer, 8, "1234567"), "1234567");
	assert_string_equal(inert(buffer, 8, "12345678"), "1234...");
	assert_string_equal(inert(buffer, 8, "123\xc3\xa9" "678"), "123...");
	assert_string_equal(inert(buffer, 8, "\033\033\033"), "\\x1b...");
	assert_string_equal(inert(buffer, 3, "1234"), "..");
	assert_string_equal(inert(buffer, 1, "1234"), "");
}

static void folds_to(const char *name, const char *expected)
{
	char buffer[256];

	strcpy(buffer, name);
	templates_fold(buffer);
	assert_string_equal(buffer, expected);
}

static void templates(void **state)
{
	folds_to("main", "main");
	folds_to("List<T>::at(int)", "List<T>::at(int)");
	folds_to("std::map<int, std::set<int> >::at<long>(int)", "std::map<...>::at<...>(int)");
	folds_to("operator< <int, long>(A, B)", "operator< <...>(A, B)");
	folds_to("operator<< <int, long>(A, B)", "operator<< <...>(A, B)");
	folds_to("Ptr<Session, int>::operator->()", "Ptr<...>::operator->()");
	folds_to("f<&(A::operator->), int>::g<int, int>", "f<...>::g<...>");
	folds_to("broken<int, long", "broken<int, long");
	folds_to("broken>>", "broken>>");
}

/* --- units --- */

static void units(void **state)
{
	assert_string_equal(units_number(0).text, "0");
	assert_string_equal(units_number(999).text, "999");
	assert_string_equal(units_number(1000).text, "1,000");
	assert_string_equal(units_number(UINT64_MAX).text, "18,446,744,073,709,551,615");
	assert_string_equal(units_count(1, "block").text, "1 block");
	assert_string_equal(units_count(0, "block").text, "0 blocks");
	assert_string_equal(units_rate(1098600, 60 * SECOND).text, "+18,310 bytes/s");
	assert_string_equal(units_mib(137782886).text, "131.4");
}

static void times(void **state)
{
	assert_string_equal(units_time(850).text, "850 ns");
	assert_string_equal(units_time(1500).text, "1.5 us");
	assert_string_equal(units_time(80000).text, "0.08 ms");
	assert_string_equal(units_time(9800000).text, "9.8 ms");
	assert_string_equal(units_time(240 * MS).text, "0.24 s");
	assert_string_equal(units_time(60 * SECOND).text, "60.0 s");
	assert_string_equal(units_time(125 * SECOND).text, "2 min 5 s");
	assert_string_equal(units_time(7500 * SECOND).text, "2 h 5 min");
	assert_string_equal(units_time(200000 * SECOND).text, "2 d 7 h");
	assert_string_equal(units_time(7500 * SECOND).text, "2 h 5 min");
}

/* --- json and folded --- */

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
"\"memory\":{\"rss_start_bytes\":0,\"rss_end_bytes\":0},"
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
"\"truncated\":false,\"stack\":[{\"pc\":\"0x555555555140\",\"function\":\"main\",\"file\":\"/src/three.c\","
"\"line\":5,\"module\":\"/home/u/three\",\"offset\":\"0x1140\",\"inlined\":false},"
"{\"pc\":\"0x555555555050\",\"function\":\"_start\",\"file\":null,\"line\":0,"
"\"module\":\"/home/u/three\",\"offset\":\"0x1050\",\"inlined\":false}]}],"
"\"errors\":[],\"error_summary\":{\"errors\":0,\"contexts\":0,\"lost\":0,\"suppressed\":0,"
"\"suppressed_contexts\":0}}\n");
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
	assert_contains(printed, "\n  }\n ],\n \"errors\": [],\n \"error_summary\": {\n");
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
	assert_contains(print("json"), "\n \"sites\": [],\n \"errors\": [],\n \"error_summary\": {\n");
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

/* --- some time was not watched --- */

static const struct run_gap gaps[] = {
	{ 5 * MS, 6 * MS, GAP_SWITCH }, { 8 * MS, 10 * MS, GAP_SWITCH },
	{ 10500000, 11 * MS, GAP_SWITCH },
};

/* At the end of a run of 20 ms. */
static void end_unwatched(enum run_gap_reason reason)
{
	facts.ended_unwatched = true;
	facts.last_gap = (struct run_gap){ facts.duration_ns, 20 * MS, reason };
}

/* In the first gap one block lives; of those after it one is freed, and one is not. */
static void be_unwatched(size_t nr_gaps)
{
	const code_t second[] = { code(PROGRAM, 0x1140), code(PROGRAM, 0x1050) };

	the_three();
	facts.gaps = gaps;
	facts.nr_gaps = nr_gaps;
	for (size_t i = 0; i < nr_gaps; i++)
		heap_disown(&heap, gaps[i].to_ns);
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
"Cost     8 stops, handled in 0.04 ms; stopped 2.5 % of its time; engine break\n"
"\n"
"HEAP SUMMARY:\n"
"    in use at exit: 7 bytes in 1 blocks\n"
"  total heap usage: 3 allocs, 2 frees, 47 bytes allocated\n"
"        also freed: 1 block not seen allocated\n"
"\n"
"1. UNFREED 7 bytes in 1 block\n"
"   allocated here: 1, freed: 0\n"
"      at malloc(7)\n"
"      by main                      three.c:5\n"
"            5 |  char *b = malloc(20);\n"
"\n"
"ERROR SUMMARY: 0 errors from 0 contexts (suppressed: 0 from 0)\n"
"\n"
"NEXT  The line is where a block was allocated; look after it for the missing free.\n");
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
	facts.gaps = gaps;
	facts.nr_gaps = 1;
	heap_disown(&heap, gaps[0].to_ns);
	build(SYMBOLIZER);
	assert_contains(print("text"),
			"         not watched from 5.0 ms to 6.0 ms (memleak = 0)\nCost ");
	assert_null(strstr(printed, "live then"));
}

/* The end of the process is known, but not what it freed before. */
static void text_that_ended_unwatched(void **state)
{
	the_three();
	facts.end = RUN_DETACHED;
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
	facts.end = RUN_DETACHED;
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
	facts.gaps = gaps;
	facts.nr_gaps = 1;
	heap_disown(&heap, gaps[0].to_ns);
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
	facts.end = RUN_DETACHED;
	end_unwatched(GAP_SWITCH);
	assert_verdict(VERDICT_NO_LEAK_SEEN, "NO LEAK SEEN in 12.0 ms: all that three (pid 5120)"
		       " allocated was freed.\n\n");
}

static void nothing_allocated_but_for_a_gap(void **state)
{
	facts.gaps = gaps;
	facts.nr_gaps = 1;
	heap_disown(&heap, gaps[0].to_ns);
	assert_verdict(VERDICT_NO_LEAK_SEEN, "NO LEAK SEEN in 12.0 ms: three (pid 5120) allocated"
		       " nothing.\n" PART);
}

/* That they were freed must not be said. */
static void no_leak_but_blocks_of_a_gap(void **state)
{
	const code_t stack[] = { code(PROGRAM, 0x1140) };

	facts.gaps = gaps;
	facts.nr_gaps = 1;
	alloc(0x10, 20, 1 * MS, stack, 1);
	heap_disown(&heap, gaps[0].to_ns);
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
	facts.gaps = gaps;
	facts.nr_gaps = 1;
	heap_disown(&heap, 6 * MS);
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
	facts.gaps = gaps;
	facts.nr_gaps = 1;
	heap_disown(&heap, 6 * MS);
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

/* --- wrong frees --- */

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
"Cost     8 stops, handled in 0.04 ms; stopped 2.5 % of its time; engine break\n"
"\n"
"HEAP SUMMARY:\n"
"    in use at exit: 0 bytes in 0 blocks\n"
"  total heap usage: 1 allocs, 1 frees, 24 bytes allocated\n"
"\n"
"DOUBLE FREE of a block of 24 bytes at 0x10, the first of 3\n"
"   freed again 1.0 ms after the first free, in the same thread\n"
"      at malloc\n"
"      by Pool::take(unsigned long) [inlined]  pool.h:12\n"
"      by Session::open(int)                   session.cc:19\n"
"   first freed here\n"
"      at malloc\n"
"      by _start                    (three)\n"
"   allocated here\n"
"      at malloc(24)\n"
"      by main                      three.c:5\n"
"            5 |  char *b = malloc(20);\n"
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
"      by Pool::take(unsigned long) [inlined]  pool.h:12\n"
"      by Session::open(int)                   session.cc:19\n"
"   it is 3 bytes inside a block of 20 bytes, allocated here\n"
"      at malloc(20)\n"
"      by main                      three.c:5\n"
"            5 |  char *b = malloc(20);\n"
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
"      The line is where a block was allocated; look after it for the missing free.\n");
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
"\"error_summary\":{\"errors\":4,\"contexts\":2,\"lost\":0,\"suppressed\":0,\"suppressed_contexts\":0}}");
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

static void json_that_ended_unwatched(void **state)
{
	the_three();
	facts.end = RUN_DETACHED;
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
	facts.end = RUN_DETACHED;
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
	facts.end = RUN_DETACHED;
	end_unwatched(GAP_OVERHEAD);
	style.one_line = true;
	build(SYMBOLIZER);
	assert_contains(print("json"),
"\"unwatched\":[{\"from_ns\":1000000,\"to_ns\":2000000,\"reason\":\"overhead\"},"
"{\"from_ns\":3000000,\"to_ns\":4000000,\"reason\":\"memleak\"},"
"{\"from_ns\":12000000,\"to_ns\":null,\"ended_ns\":20000000,\"reason\":\"overhead\"}],");
	assert_contains(printed, "\"limit_ppm\":25000,\"pauses\":2,\"paused_ns\":9000000},");
}

static void formats(void **state)
{
	assert_string_equal(report_format_at(0)->name, "text");
	assert_null(report_format_at(3));
	assert_null(report_format_find("xml"));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(text_of_the_three), CASE(text_of_a_service), CASE(growing_comes_first),
		CASE(endings), CASE(nothing_wrong), CASE(incomplete), CASE(only_the_top),
		CASE(ranked_by_bytes_blocks_and_time), CASE(without_names), CASE(symbolizer_dead),
		CASE(each_module_is_asked_once), CASE(array_new), CASE(colors), CASE(evil_names),
		CASE(name_of_a_megabyte), CASE(inert_text), CASE(inert_that_does_not_fit),
		CASE(templates), CASE(units), CASE(times),
		CASE(text_of_samples), CASE(text_of_samples_all_freed),
		CASE(text_of_no_sample), CASE(rounded_units), CASE(json_of_samples),
		CASE(json_of_the_three), CASE(json_indented), CASE(json_without_sites),
		CASE(folded), CASE(text_with_a_gap), CASE(text_with_several_gaps),
		CASE(text_with_a_gap_in_which_nothing_lived), CASE(text_that_ended_unwatched),
		CASE(text_with_a_gap_that_ended_unwatched), CASE(no_leak_with_a_gap_is_none_seen),
		CASE(no_leak_that_ended_unwatched_is_none_seen),
		CASE(nothing_allocated_but_for_a_gap), CASE(no_leak_but_blocks_of_a_gap),
		CASE(samples_with_a_gap), CASE(all_samples_are_of_a_gap),
		CASE(growth_since_the_last_gap), CASE(json_with_gaps),
		CASE(json_that_ended_unwatched), CASE(text_of_pauses),
		CASE(text_that_ended_in_a_pause), CASE(text_of_the_share), CASE(json_of_pauses),
		CASE(text_of_a_double_free), CASE(text_of_an_invalid_free),
		CASE(only_the_top_wrong_frees), CASE(json_of_wrong_frees),
		CASE(caller_in_no_one_module), CASE(what_is_not_claimed), CASE(unknown_allocators),
		CASE(cleanup_in_a_static_program), CASE(formats),
	};

	return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
