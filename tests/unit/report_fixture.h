/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A run to report, and what a report of it says.  The symbolizer here is a table: the library's
 * own is not linked, since all its functions that a report uses are defined below.  Included once
 * a program.
 */
#ifndef MEMTRACE_TESTS_REPORT_FIXTURE_H
#define MEMTRACE_TESTS_REPORT_FIXTURE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../tracer/report/places.h"
#include "../../tracer/report/report.h"
#include "../../tracer/report/saved.h"

#define MS 1000000ull
#define SECOND (1000 * MS)

enum { PROGRAM = 1, LIBRARY, LIBCXX };

#define PROGRAM_BIAS 0x555555554000
#define LIBRARY_BIAS 0x7f0000000000
#define LIBCXX_BIAS 0x7f1000000000

/* --- a symbolizer of ours --- */

static const struct symbol_frame main_frames[] = { { "main", "/src/three.c", 5, false, 0 } };
static const struct symbol_frame inlined_frames[] = {
	{ "Pool::take(unsigned long)", "/src/pool.h", 12, true, 0 },
	{ "Session::open(int)", "/src/session.cc", 19, false, 0 },
};
static struct symbol_frame start_frames[] = { { "_start", NULL, 0, false, 0 } };
static const struct symbol_frame new_frames[] = {
	{ "operator new(unsigned long)", NULL, 0, false, 0 },
};
static const struct symbol_frame new_array_frames[] = {
	{ "operator new[](unsigned long)", NULL, 0, false, 0 },
};
static const struct symbol_frame evil_frames[] = {
	{ "evil\033[2J;\n\xc2\x9b\xff\x7f", "/src/e\tvil.c", 7, false, 0 },
};
static char *long_name;

static int nr_questions, nr_released;
static bool broken;

static struct symbol_frames lookup(uint32_t module, uint64_t vaddr)
{
	static struct symbol_frame long_frame;

	long_frame = (struct symbol_frame){ long_name, "/src/long.c", 1, false, 0 };
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

int symbolizer_variables(struct symbolizer *symbolizer, uint32_t module, const uint64_t *vaddrs,
			 size_t nr, struct symbol_frames *out_variables, struct symbol_table **out)
{
	static const struct symbol_frame cache = { "g_\033cache", "/src/cache.c", 11, false, 0x30 };

	nr_questions++;
	if (broken)
		return -EPIPE;
	for (size_t i = 0; i < nr; i++)
		out_variables[i] = (struct symbol_frames){ &cache, module == PROGRAM };
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
	assert_int_equal(model_build(&model, &facts, &heap, NULL, symbolizer, &(struct report_style){ 0 }), 0);
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
/* Four samples, of which two are live. */
static inline void be_sampled(uint64_t mean_bytes)
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
static inline void be_a_service(void)
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
static inline void serve(void)
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
static inline void first_line(const char *expected)
{
	const char *text;

	build(SYMBOLIZER);
	text = print("text");
	if (strncmp(text, expected, strlen(expected)))
		fail_msg("not the first line:\n%s\nof:\n%s", expected, text);
	model_release(&model);
}
/* Lines that several texts have. */
#define COST "Cost     8 stops, handled in 0.04 ms; stopped 2.5 % of its time; engine break\n"
#define BY_MAIN "      by main                      three.c:5\n" \
		"            5 |  char *b = malloc(20);\n"
#define BY_SESSION "      by Pool::take(unsigned long) [inlined]  pool.h:12\n" \
		   "      by Session::open(int)                   session.cc:19\n"
#define NO_ERRORS "ERROR SUMMARY: 0 errors from 0 contexts (suppressed: 0 from 0)\n"
#define LOOK_AFTER_IT "The line is where a block was allocated; look after it for the missing free.\n"

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
