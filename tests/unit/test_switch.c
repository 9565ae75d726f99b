/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memleak = 0 or 1, read again while memtrace runs. */
#include "../../tracer/switch.h"
#include "config_fixture.h"
#include "parsed.h"

static struct memleak_switch memleak;

static int teardown(void **state)
{
	alarm(0);
	switch_deinit(&memleak);
	options_release(&options);
	return 0;
}

static bool look(void)
{
	bool turned;

	capture_begin();
	turned = switch_look(&memleak);
	capture_end();
	return turned;
}

/* Neither turned nor worth a word. */
static void stays(bool on)
{
	assert_false(look());
	assert_string_equal(printed, "");
	assert_int_equal(memleak.on, on);
}

static void turns(bool on)
{
	assert_true(look());
	assert_string_equal(printed, "");
	assert_int_equal(memleak.on, on);
	stays(on);
}

static void tells(const char *words, bool on)
{
	assert_false(look());
	assert_printed(words);
	assert_one_line();
	stays(on);
}

static void switch_begin(const char *text)
{
	RUN(text, "ls");
	switch_init(&memleak, &options);
	stays(options.memleak);
}

static void turned_in_place(void **state)
{
	switch_begin("memleak = 1\n");
	write_file("conf", "memleak = 0\n");
	turns(false);
	write_file("conf", "memleak = 1\n");
	turns(true);
	write_file("conf", "memleak = 1  # still\n");
	stays(true);
	write_file("conf", "memleak = 1\nmemleak = 0\n");
	turns(false);
}

static void turned_by_another_file_of_that_name(void **state)
{
	switch_begin("memleak = 0\n");
	write_file("new", "memleak = 1\n");
	run("mv new conf");
	turns(true);
	write_file("target", "memleak = 0\n");
	run("ln -sf target conf");
	turns(false);
	run("rm conf");
}

static void removed_and_there_again(void **state)
{
	switch_begin("memleak = 0\n");
	run("rm conf");
	stays(false);
	write_file("conf", "memleak = 0\n");
	stays(false);
	run("rm conf");
	stays(false);
	write_file("conf", "memleak = 1\n");
	turns(true);
}

static void there_at_last(void **state)
{
	run("mkdir -p config && rm -f config/*");
	setenv("XDG_CONFIG_HOME", in_folder("config"), 1);
	runs(parse("ls", NULL));
	unsetenv("XDG_CONFIG_HOME");
	if (options.config_text)
		skip();
	switch_init(&memleak, &options);
	stays(true);
	write_file("config/memtrace.conf", "memleak = 0\n");
	turns(false);
}

static void says_nothing_any_more(void **state)
{
	switch_begin("memleak = 0\n");
	write_file("conf", "");
	stays(false);
	write_file("conf", "top = 3\n");
	stays(false);
	write_file("conf", "# memleak = 1\n");
	stays(false);
	write_file("conf", "memleak = 1");
	turns(true);
}

static void wrong_lines_are_told_once(void **state)
{
	switch_begin("memleak = 1\n");
	write_file("conf", "memleak = 2\n");
	tells("conf:1: memleak = 2: 0 or 1 is needed", true);
	write_file("conf", "memleak\n");
	tells("conf:1: a line is KEY = VALUE", true);
	write_file("conf", "\nnone = 1\n");
	tells("conf:2: none = 1: no such key", true);
	write_file("conf", "memleak = 1\n");
	stays(true);
	write_file("conf", "\nnone = 1\n");
	tells("conf:2: none = 1: no such key", true);
}

/* What is right counts all the same. */
static void wrong_and_right_lines(void **state)
{
	switch_begin("memleak = 1\n");
	write_file("conf", "none = 1\nmemleak = 0\n");
	assert_true(look());
	assert_printed("conf:1: none = 1: no such key");
	stays(false);
	write_file("conf", "memleak = 1\n[night]\nmemleak = 0\n");
	assert_true(look());
	assert_printed("conf:2: a line is KEY = VALUE");
	stays(true);
}

static void cannot_be_read(void **state)
{
	static char bytes[FILE_BYTES];

	switch_begin("memleak = 0\n");
	memset(bytes, '\n', sizeof(bytes));
	memcpy(bytes, "memleak = 1", 11);
	write_bytes("conf", bytes, sizeof(bytes));
	tells("File too large; memleak stays 0", false);
	write_bytes("conf", "memleak = 1\n\0", 13);
	tells("memleak stays 0", false);
	run("rm conf && mkdir conf");
	tells("Is a directory; memleak stays 0", false);
	run("rmdir conf && mkfifo conf");
	stays(false);
	run("rm conf");
	write_file("conf", "memleak = 1\n");
	turns(true);
}

/* All but memleak is for the next run: nothing of this one is touched. */
static void other_keys_are_for_the_next_run(void **state)
{
	switch_begin("memleak = 1\ntop = 3\n");
	write_file("conf", "memleak = 0\ntop = 5\noutput = x\nverbose = 1\n");
	turns(false);
	assert_int_equal(options.top, 3);
	assert_null(options.output);
	assert_int_equal(options.level, MESSAGE_NORMAL);
	assert_true(options.memleak);
}

/* Which processes there are was asked at the start; by now some may have ended. */
static void processes_are_not_asked_for_again(void **state)
{
	switch_begin("pid = 2147483647\nmemleak = 1\n");
	write_file("conf", "pid = 2147483647\nmemleak = 0\n");
	turns(false);
}

static void without_a_file(void **state)
{
	options = (struct options){ .memleak = true };
	switch_init(&memleak, &options);
	stays(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(turned_in_place), CASE(turned_by_another_file_of_that_name),
		CASE(removed_and_there_again), CASE(there_at_last), CASE(says_nothing_any_more),
		CASE(wrong_lines_are_told_once), CASE(wrong_and_right_lines),
		CASE(cannot_be_read), CASE(other_keys_are_for_the_next_run),
		CASE(processes_are_not_asked_for_again), CASE(without_a_file),
	};

	return cmocka_run_group_tests_name("switch", tests, make_folder, remove_folder);
}
