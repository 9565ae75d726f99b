/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Logs without a process: lines out of events, text out of lines, and outputs that fail. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../tracer/stream/lines.h"
#include "../../tracer/stream/out.h"
#include "../../tracer/stream/queue.h"
#include "../../tracer/stream/stream.h"

static struct line made[LINES_MOST];

static size_t make(struct lines *lines, struct event event)
{
	static const code_t stack[] = { 0x1000000401001, 0x1000000402002 };

	event.stack = stack;
	event.nr_frames = 2;
	return lines_make(lines, &event, made);
}

#define MAKE(...) make(&lines, (struct event){ __VA_ARGS__ })

static void is(const struct line *line, enum line_kind kind, taddr_t address, uint64_t size,
	       pid_t tid)
{
	assert_int_equal(line->kind, kind);
	assert_int_equal(line->address, address);
	assert_int_equal(line->size, size);
	assert_int_equal(line->tid, tid);
	assert_int_equal(line->nr_frames, 2);
}

static void one_call_one_line(void **state)
{
	struct lines lines = { .resizes = NULL };

	assert_int_equal(MAKE(.kind = EVENT_ALLOC, .address = 16, .size = 3, .kernel_tid = 7), 1);
	is(made, LINE_ALLOC, 16, 3, 7);
	assert_int_equal(MAKE(.kind = EVENT_FREE, .address = 16, .kernel_tid = 7), 1);
	is(made, LINE_FREE, 16, 0, 7);
	assert_int_equal(MAKE(.kind = EVENT_FAILED, .size = 9), 1);
	is(made, LINE_FAILED, 0, 9, 0);
	lines_deinit(&lines);
}

static void a_realloc_is_two(void **state)
{
	struct lines lines = { .resizes = NULL };

	assert_int_equal(MAKE(.kind = EVENT_RESIZE_BEGIN, .old_address = 16, .tid = 2,
			      .kernel_tid = 7), 0);
	assert_int_equal(MAKE(.kind = EVENT_RESIZE_END, .old_address = 16, .address = 32,
			      .size = 5, .tid = 2, .kernel_tid = 7), 2);
	is(&made[0], LINE_RESIZED, 16, 0, 7);
	is(&made[1], LINE_ALLOC, 32, 5, 7);
	assert_int_equal(lines.nr, 0);
	lines_deinit(&lines);
}

static void a_realloc_that_fails(void **state)
{
	struct lines lines = { .resizes = NULL };

	MAKE(.kind = EVENT_RESIZE_BEGIN, .old_address = 16, .tid = 2, .kernel_tid = 7);
	assert_int_equal(MAKE(.kind = EVENT_RESIZE_END, .old_address = 16, .size = 500, .tid = 2), 1);
	is(made, LINE_KEPT, 16, 500, 7);
	MAKE(.kind = EVENT_RESIZE_BEGIN, .old_address = 16, .tid = 2);
	assert_int_equal(MAKE(.kind = EVENT_RESIZE_LOST, .old_address = 16, .tid = 2), 0);
	assert_int_equal(lines.nr, 0);
	lines_deinit(&lines);
}

/* Between the begin and the end of a realloc another thread gets its old block. */
static void the_old_block_goes_before_its_next_owner(void **state)
{
	struct lines lines = { .resizes = NULL };

	MAKE(.kind = EVENT_RESIZE_BEGIN, .old_address = 16, .tid = 2, .kernel_tid = 7);
	assert_int_equal(MAKE(.kind = EVENT_ALLOC, .address = 16, .size = 1, .tid = 3,
			      .kernel_tid = 8), 2);
	is(&made[0], LINE_RESIZED, 16, 0, 7);
	is(&made[1], LINE_ALLOC, 16, 1, 8);
	assert_int_equal(MAKE(.kind = EVENT_RESIZE_END, .old_address = 16, .tid = 2), 0);
	lines_deinit(&lines);
}

static void more_reallocs_than_fit(void **state)
{
	struct lines lines = { .resizes = NULL };

	for (unsigned i = 1; i <= LINES_RESIZES; i++)
		assert_int_equal(MAKE(.kind = EVENT_RESIZE_BEGIN, .old_address = 16 * i, .tid = (pid_t)i), 0);
	assert_int_equal(MAKE(.kind = EVENT_RESIZE_BEGIN, .old_address = 8, .kernel_tid = 7), 1);
	is(made, LINE_RESIZED, 8, 0, 7);
	lines_deinit(&lines);
}

static void a_queue_counts_what_does_not_fit(void **state)
{
	struct line line = { .size = 0 };
	struct queue queue;

	assert_int_equal(queue_init(&queue, 4), 0);
	assert_null(queue_first(&queue));
	for (line.size = 0; line.size < 7; line.size++)
		queue_put(&queue, &line);
	assert_int_equal(queue_length(&queue), 4);
	assert_int_equal(queue_lost(&queue), 3);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(queue_first(&queue)->size, i);
		queue_drop(&queue);
	}
	queue_put(&queue, &line);
	assert_int_equal(queue_first(&queue)->size, 7);
	queue_deinit(&queue);
}

/* Text */

static char text[2 * WORDS_BYTES];
static const struct stream_style style = { .name = "a\033b", .pid = 4711 };

static void keep(const struct words *words)
{
	memcpy(text, words->bytes, words->nr);
	text[words->nr] = '\0';
}

static const char *words_of(const struct stream_format *format, struct line line,
			    const struct image_site *site)
{
	struct words words;

	words.nr = 0;
	format->line(&words, &line, site, &style);
	keep(&words);
	return text;
}

static const struct image_module program = {
	.path = "/bin/prog", .bias = 0x5000, .is_program = true,
}, library = { .path = "/lib/libx.so.1", .bias = 0x7000 },
odd = { .path = "/tmp/$(touch x).so", .bias = 0x7000 };
static struct name name = { .function = "main", .file = "three.c", .line = 5 };

#define WORDS(format, line, ...) words_of(&format, line, \
					  &(struct image_site){ .function = "malloc", __VA_ARGS__ })
#define BARE(...) (struct line){ __VA_ARGS__ }
#define LINE(...) BARE(.time_ns = 1234567890, .tid = 4712, .address = 0xabc, __VA_ARGS__)

static void log_of_calls(void **state)
{
	assert_string_equal(WORDS(stream_log, LINE(.kind = LINE_ALLOC, .size = 20), .pc = 0x5010,
				  .module = &program, .name = &name),
			    "   1.234567 4712 [main]malloc --> addr: 0xabc, size: 20  three.c:5\n");
	assert_string_equal(WORDS(stream_log, LINE(.kind = LINE_FREE), .pc = 0x700f,
				  .module = &library),
			    "   1.234567 4712 [libx.so.1+0x10]malloc --> addr: 0xabc\n");
	assert_string_equal(WORDS(stream_log, LINE(.kind = LINE_RESIZED), .pc = 0x41),
			    "   1.234567 4712 [0x42]malloc --> addr: 0xabc, freed\n");
	assert_string_equal(WORDS(stream_log, LINE(.kind = LINE_KEPT, .size = 9)),
			    "   1.234567 4712 [?]malloc --> addr: 0xabc, size: 9, failed\n");
	assert_string_equal(WORDS(stream_log, BARE(.kind = LINE_REST)),
			    "   0.000000 4711 nothing is watched: memleak = 0\n");
	assert_string_equal(WORDS(stream_log, BARE(.kind = LINE_PAUSE)),
			    "   0.000000 4711 nothing is watched: --overhead\n");
	assert_string_equal(WORDS(stream_log, BARE(.kind = LINE_PAUSE_END)),
			    "   0.000000 4711 watched again: --overhead\n");
}

static void log_of_the_end(void **state)
{
	const struct stream_totals totals = {
		.time_ns = 2000000000, .allocs = 3, .frees = 2, .bytes_allocated = 60,
		.live_blocks = 1, .live_bytes = 20, .lost = 4,
	};
	struct words words;

	words.nr = 0;
	stream_log.end(&words, &totals, &style);
	keep(&words);
	assert_string_equal(text, "   2.000000 4711 [a\\x1bb]counts --> allocs: 3, frees: 2, size: 60, "
			    "still in use: 20 bytes in 1 blocks, lines not written: 4\n");
}

static void mtrace_of_calls(void **state)
{
	assert_string_equal(WORDS(stream_mtrace, LINE(.kind = LINE_ALLOC, .size = 20), .pc = 0x5010,
				  .module = &program), "@ [0x10] + 0xabc 0x14\n");
	assert_string_equal(WORDS(stream_mtrace, LINE(.kind = LINE_ALLOC, .size = 20), .pc = 0x5010,
				  .module = &program, .resizes = true), "@ [0x10] > 0xabc 0x14\n");
	assert_string_equal(WORDS(stream_mtrace, LINE(.kind = LINE_FREE), .pc = 0x7010,
				  .module = &library), "@ /lib/libx.so.1:[0x10] - 0xabc\n");
	assert_string_equal(WORDS(stream_mtrace, LINE(.kind = LINE_RESIZED)), "< 0xabc\n");
	assert_string_equal(WORDS(stream_mtrace, LINE(.kind = LINE_KEPT, .size = 1)), "! 0xabc 0x1\n");
	assert_string_equal(WORDS(stream_mtrace, BARE(.kind = LINE_FAILED, .size = 16)),
			    "+ (nil) 0x10\n");
}

/* The script gives a path to a shell. */
static void mtrace_of_odd_paths(void **state)
{
	static const char *const paths[] = {
		"/tmp/a b.so", "/tmp/a;b", "relative", "/tmp/`id`", "/tmp/a\nb", "/tmp/a|b", "",
	};

	assert_string_equal(WORDS(stream_mtrace, LINE(.kind = LINE_FREE), .pc = 0x7010,
				  .module = &odd), "@ [0x7010] - 0xabc\n");
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		const struct image_module module = { .path = paths[i], .bias = 0x7000 };

		assert_string_equal(WORDS(stream_mtrace, LINE(.kind = LINE_FREE), .pc = 0x7010,
					  .module = &module), "@ [0x7010] - 0xabc\n");
	}
}

static void mtrace_without_what_glibc_frees_again(void **state)
{
	assert_string_equal(WORDS(stream_mtrace, LINE(.kind = LINE_FREE, .unknown = true),
				  .is_own = true), "");
	assert_string_equal(WORDS(stream_mtrace, LINE(.kind = LINE_FREE, .unknown = true)),
			    "- 0xabc\n");
	assert_string_equal(WORDS(stream_mtrace, LINE(.kind = LINE_FREE), .is_own = true),
			    "- 0xabc\n");
}

static void words_have_an_end(void **state)
{
	struct words words;

	words.nr = 0;
	for (unsigned i = 0; i < WORDS_BYTES; i++)
		words_add(&words, "long ");
	words_end(&words);
	assert_int_equal(words.nr, WORDS_BYTES);
	assert_int_equal(words.bytes[WORDS_BYTES - 1], '\n');
}

/* Images */

static void images_after_an_exec(void **state)
{
	struct line line = { .frames = { code_make(1, 0x6001) }, .nr_frames = 1 };
	struct image *image;

	assert_int_equal(image_create(NULL, &image), 0);
	assert_int_equal(image_add_module(image, &program), 0);
	assert_int_equal(image_add_function(image, &(struct image_function){ .name = "malloc" }), 0);
	image_restart(image);
	assert_int_equal(image_nr_modules(image), 0);
	assert_int_equal(image_add_module(image, &library), 0);
	assert_int_equal(image_add_function(image, &(struct image_function){ .name = "free" }), 0);
	assert_string_equal(image_look_up(image, &line, false).function, "malloc");
	assert_string_equal(image_look_up(image, &line, false).module->path, "/bin/prog");
	assert_int_equal(image_look_up(image, &line, false).pc, 0x6000);
	line.image = image_now(image);
	assert_string_equal(image_look_up(image, &line, false).function, "free");
	assert_string_equal(image_look_up(image, &line, false).module->path, "/lib/libx.so.1");
	line.frames[0] = code_make(9, 0x6001);
	line.function = 5;
	assert_null(image_look_up(image, &line, false).module);
	assert_string_equal(image_look_up(image, &line, false).function, "?");
	image_destroy(image);
}

/* Outputs */

static void a_full_device(void **state)
{
	struct out out;

	assert_int_equal(out_open(&out, "/dev/full", 0), 0);
	assert_int_equal(out_write(&out, "a\nb\nc\n", 6), 3);
	assert_int_equal(out.error, ENOSPC);
	assert_false(out.closed);
	out_close(&out);
	assert_int_equal(out_open(&out, "/no/such/folder/file", 0), -ENOENT);
}

static void a_closed_pipe(void **state)
{
	int ends[2];
	struct out out;

	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(out_open(&out, NULL, ends[1]), 0);
	assert_int_equal(out_write(&out, "a\nb\n", 4), 0);
	close(ends[0]);
	assert_int_equal(out_write(&out, "a\nb\n", 4), 2);
	assert_true(out.closed);
	assert_int_equal(out_write(&out, "a\n", 2), 1);
	out_close(&out);
	close(ends[1]);
}

/* A line that was cut is ended before the next one. */
static void a_line_that_was_cut(void **state)
{
	char path[] = "/tmp/test_stream.XXXXXX", got[16] = "";
	int fd = mkstemp(path);
	struct out out;

	assert_true(fd >= 0);
	assert_int_equal(out_open(&out, path, 0), 0);
	assert_true(out.is_file);
	assert_int_equal(out_write(&out, "ab", 2), 0);
	out.cut = true;
	assert_int_equal(out_write(&out, "c\n", 2), 0);
	assert_int_equal(pread(fd, got, sizeof(got) - 1, 0), 5);
	assert_string_equal(got, "ab\nc\n");
	out_renew(&out);
	assert_int_equal(out_write(&out, "d\n", 2), 0);
	out_close(&out);
	memset(got, 0, sizeof(got));
	assert_int_equal(pread(fd, got, sizeof(got) - 1, 0), 2);
	close(fd);
	unlink(path);
}

static void on_nudge(int number)
{
}

/* All of a stream, into a pipe that nobody reads: it ends, and has counted. */
static void a_stream_that_is_not_read(void **state)
{
	const struct sigaction nudge = { .sa_handler = on_nudge };
	const struct stream_totals totals = { .allocs = 5000 };
	struct stream_options options = { .format = &stream_log, .style = style };
	struct stream *stream;
	int ends[2], error;

	sigaction(SIGURG, &nudge, NULL);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(image_create(NULL, &options.image), 0);
	options.standard = ends[1];
	assert_int_equal(stream_create(&options, &stream), 0);
	for (unsigned i = 0; i < 5000; i++)
		stream_event(stream, &(struct event){ .kind = EVENT_FREE, .address = 16 }, false);
	stream_end(stream, "b", &totals);
	assert_in_range(stream_close(stream, 200000000, true, &error), 1000, 4999);
	assert_int_equal(error, ETIMEDOUT);
	stream_destroy(stream);
	image_destroy(options.image);
	close(ends[0]);
	close(ends[1]);
}

static void a_stream_that_is_read(void **state)
{
	char path[] = "/tmp/test_stream.XXXXXX", got[256] = "";
	struct stream_options options = { .format = &stream_mtrace, .style = style, .path = path };
	const struct stream_totals totals = { .allocs = 1 };
	struct stream *stream;
	int fd = mkstemp(path), error;

	assert_true(fd >= 0);
	assert_int_equal(image_create(NULL, &options.image), 0);
	assert_int_equal(stream_create(&options, &stream), 0);
	stream_event(stream, &(struct event){ .kind = EVENT_ALLOC, .address = 16, .size = 1 }, false);
	stream_event(stream, &(struct event){ .kind = EVENT_FREE, .address = 16 }, false);
	stream_note(stream, LINE_REST, 0);
	stream_end(stream, "b", &totals);
	assert_int_equal(stream_close(stream, 5000000000, true, &error), 0);
	assert_int_equal(error, 0);
	assert_true(pread(fd, got, sizeof(got) - 1, 0) > 0);
	assert_string_equal(got, "= Start\n+ 0x10 0x1\n- 0x10\n"
			    "# nothing is watched: memleak = 0\n= End\n");
	stream_destroy(stream);
	image_destroy(options.image);
	close(fd);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_call_one_line),
		cmocka_unit_test(a_realloc_is_two),
		cmocka_unit_test(a_realloc_that_fails),
		cmocka_unit_test(the_old_block_goes_before_its_next_owner),
		cmocka_unit_test(more_reallocs_than_fit),
		cmocka_unit_test(a_queue_counts_what_does_not_fit),
		cmocka_unit_test(log_of_calls),
		cmocka_unit_test(log_of_the_end),
		cmocka_unit_test(mtrace_of_calls),
		cmocka_unit_test(mtrace_of_odd_paths),
		cmocka_unit_test(mtrace_without_what_glibc_frees_again),
		cmocka_unit_test(words_have_an_end),
		cmocka_unit_test(images_after_an_exec),
		cmocka_unit_test(a_full_device),
		cmocka_unit_test(a_closed_pipe),
		cmocka_unit_test(a_line_that_was_cut),
		cmocka_unit_test(a_stream_that_is_not_read),
		cmocka_unit_test(a_stream_that_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
