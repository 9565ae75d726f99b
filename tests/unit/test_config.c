/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files of options: their lines, how they are read, and where they are. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "../../tracer/config.h"
#include "config_fixture.h"

#define NOBODY 65534

static char told[8192];		/* "LINE:KEY=VALUE|", by the last parse */

static int teardown(void **state)
{
	alarm(0);
	return 0;
}

/* --- lines --- */

static void note(void *owner, unsigned line, const char *key, const char *value)
{
	size_t used = strlen(told);

	assert_ptr_equal(owner, told);
	snprintf(told + used, sizeof(told) - used, "%u:%s=%s|", line, key, value);
}

static void parses(const char *text, const char *entries, unsigned wrong)
{
	unsigned found;

	told[0] = '\0';
	found = config_parse(text, note, told);
	assert_string_equal(told, entries);
	assert_int_equal(found, wrong);
}

static void lines(void **state)
{
	parses("", "", 0);
	parses("\n\n  \n\t\n", "", 0);
	parses("top = 3\noutput=a b\n", "1:top=3|2:output=a b|", 0);
	parses("top = 3", "1:top=3|", 0);
	parses("top =\n= 3\n=\n", "1:top=|2:=3|3:=|", 0);
	parses("a = b = c\n", "1:a=b = c|", 0);
	parses("format = json:a:b\n", "1:format=json:a:b|", 0);
	parses("a = 1\n\n\na = 2\n", "1:a=1|4:a=2|", 0);
}

static void indented_lines_are_lines(void **state)
{
	parses("a = 1\n  b = 2\n\tc = 3\n \t d = 4   \n", "1:a=1|2:b=2|3:c=3|4:d=4|", 0);
	parses("  a = 1\n    # no more of it\n    b = 2", "1:a=1|3:b=2|", 0);
	parses("a = 1\n\fb = 2\n\v\fc = 3\n\rd = 4\n", "1:a=1|2:b=2|3:c=3|4:d=4|", 0);
	parses("a = 1\n  more\n", "1:a=1|", 2);
}

static void comments(void **state)
{
	parses("# a = 1\n; b = 2\n  # c = 3\n\t; d = 4\n#\n;\n", "", 0);
	parses("a = 1 # one\nb = 2\t# two\nc = 3 ; three\nd = 4\t;\n", "1:a=1|2:b=2|3:c=3|4:d=4|",
	       0);
	parses("a = x#y\nb = x;y\nc = #\nd = ; x\n", "1:a=x#y|2:b=x;y|3:c=|4:d=|", 0);
	parses("a # = 1\n", "", 1);
	parses("a ; = 1\n", "", 1);
}

static void line_ends(void **state)
{
	parses("a = 1\r\n\r\n# c\r\nb = 2 # x\r\n  c = 3\r\n", "1:a=1|4:b=2|5:c=3|", 0);
	parses("a = 1\r\nb = 2\r", "1:a=1|2:b=2|", 0);
	parses("a = 1\rb = 2\n", "1:a=1\rb = 2|", 0);
}

static void byte_order_mark(void **state)
{
	parses("\xef\xbb\xbf" "a = 1\nb = 2\n", "1:a=1|2:b=2|", 0);
	parses("\xef\xbb\xbf[x]\na = 1\n", "", 1);
	parses("\xef\xbb\xbf", "", 0);
	parses("\xef\xbb\xbf  # x\n  a = 1\n", "2:a=1|", 0);
}

static void no_line(void **state)
{
	parses("memleak\n", "", 1);
	parses("a = 1\n\nmemleak 0\nb = 2\nnor this\n", "1:a=1|4:b=2|", 3);
}

/* The section's own line is the wrong one. */
static void sections(void **state)
{
	parses("a = 1\n[b]\nc = 2\n", "1:a=1|", 2);
	parses("a = 1\n\n  [empty]\n", "1:a=1|", 3);
	parses("[]\n", "", 1);
	parses("[b\n", "", 1);
	parses("wrong\n[b]\n", "", 1);
	parses("[b]\nwrong\n", "", 1);
}

static void parses_long(const char *text, size_t nr_entries, unsigned wrong)
{
	size_t nr = 0;

	told[0] = '\0';
	assert_int_equal(config_parse(text, note, told), wrong);
	for (const char *at = told; (at = strchr(at, '|')); at++)
		nr++;
	assert_int_equal(nr, nr_entries);
}

static void longest_line(void **state)
{
	parses_long(with_line("", "a = ", LINE_LONGEST, "\nb = 1\n"), 2, 0);
	parses_long(with_line("", "a = ", LINE_LONGEST + 1, "\nb = 1\n"), 1, 1);
	parses_long(with_line("a = 1\n", "b = ", LINE_LONGEST, ""), 2, 0);
	parses_long(with_line("a = 1\n", "b = ", LINE_LONGEST + 1, ""), 1, 2);
	for (size_t length = LINE_LONGEST + 1; length < 420; length++)
		parses_long(with_line("a = 1\n", "b = ", length, "\nc = 1\n"), 2, 2);
	parses_long(with_line("\n", "", 1000, "\n"), 0, 2);
	parses_long(with_line("", "a = ", LINE_LONGEST + 1, "\nwrong\n"), 0, 1);
	parses_long(with_line("wrong\n", "a = ", LINE_LONGEST + 1, "\n"), 0, 1);
}

/* What is around KEY = VALUE is not a part of it. */
static void longest_line_with_more(void **state)
{
	parses_long(with_line(" \t ", "a = ", LINE_LONGEST, " \t\r\nb = 1\n"), 2, 0);
	parses_long(with_line("", "a = ", LINE_LONGEST, "  # why\nb = 1\n"), 2, 0);
	parses_long(with_line("", "a = ", LINE_LONGEST, "  ; why\nb = 1\n"), 2, 0);
	parses_long(with_line("", "# ", 400, "\nb = 1\n"), 1, 0);
	parses_long(with_line("  ", ";", 400, "\nb = 1\n"), 1, 0);
	parses_long(with_line("", "a = 1 # ", 400, "\nb = 1\n"), 2, 0);
	parses_long(with_line("", "a = 1 ; ", 400, "\nb = 1\n"), 2, 0);
}

static void longest_key(void **state)
{
	parses_long(with_line("", "", LINE_LONGEST - 1, "=\n  b = 1\n"), 2, 0);
	parses_long(with_line("[", "", LINE_LONGEST - 2, "]\na = 1\n"), 0, 1);
}

/* --- reading --- */

static void assert_read(const char *name, int expected)
{
	char *text = NULL;

	assert_int_equal(config_read(in_folder(name), &text), expected);
	free(text);
}

static void reads_it_whole(void **state)
{
	char *text;

	write_file("plain", "top = 3\n");
	assert_int_equal(config_read(in_folder("plain"), &text), 0);
	assert_string_equal(text, "top = 3\n");
	free(text);
	write_file("empty", "");
	assert_int_equal(config_read(in_folder("empty"), &text), 0);
	assert_string_equal(text, "");
	free(text);
}

static void too_large(void **state)
{
	static char bytes[FILE_BYTES + 1];
	char *text;

	memset(bytes, '\n', sizeof(bytes));
	write_bytes("large", bytes, FILE_BYTES - 1);
	assert_int_equal(config_read(in_folder("large"), &text), 0);
	assert_int_equal(strlen(text), FILE_BYTES - 1);
	free(text);
	write_bytes("large", bytes, FILE_BYTES);
	assert_read("large", -EFBIG);
	write_bytes("large", bytes, FILE_BYTES + 1);
	assert_read("large", -EFBIG);
}

static void no_file(void **state)
{
	assert_read("none", -ENOENT);
	run("mkdir -p folder");
	assert_read("folder", -EISDIR);
	assert_read("folder/none/such", -ENOENT);
	write_file("plain", "");
	assert_read("plain/none", -ENOTDIR);
	run("ln -sf loop loop");
	assert_read("loop", -ELOOP);
}

static void unreadable(void **state)
{
	write_file("secret", "top = 3\n");
	chmod(in_folder("secret"), 0);
	chmod(folder, 0755);
	if (!geteuid())
		assert_int_equal(seteuid(NOBODY), 0);
	assert_read("secret", -EACCES);
	assert_int_equal(seteuid(getuid()), 0);
	chmod(folder, 0700);
}

static void a_pipe_is_not_waited_for(void **state)
{
	int fd;

	run("mkfifo pipe");
	assert_read("pipe", 0);
	fd = open(in_folder("pipe"), O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_read("pipe", -EAGAIN);
	close(fd);
}

/* What follows one must not be overlooked. */
static void a_nul_is_no_text(void **state)
{
	static const char *const texts[] = {
		"\0top = 3\n", "top =\0 3\n", "top = \0003", "top = 3\0",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		write_bytes("nul", texts[i], 8);
		assert_read("nul", -EILSEQ);
	}
}

static void set(const char *name, const char *value)
{
	if (value)
		setenv(name, value, 1);
	else
		unsetenv(name);
}

static void finds(const char *config_home, const char *home, const char *expected)
{
	char *path;

	set("XDG_CONFIG_HOME", config_home);
	set("HOME", home);
	path = config_default_path();
	if (expected && (!access(expected, F_OK) || access(SYSTEM_PATH, F_OK)))
		assert_string_equal(path, expected);
	else if (!access(SYSTEM_PATH, F_OK))
		assert_string_equal(path, SYSTEM_PATH);
	else
		assert_null(path);
	free(path);
}

static void default_path(void **state)
{
	char of_home[300], of_config[300];

	run("mkdir -p home/.config config && rm -f home/.config/* config/*");
	snprintf(of_home, sizeof(of_home), "%s/home/.config/memtrace.conf", folder);
	snprintf(of_config, sizeof(of_config), "%s/config/memtrace.conf", folder);
	for (int there = 0; there < 2; there++) {
		finds(in_folder("config"), in_folder("home"), of_config);
		finds(NULL, in_folder("home"), of_home);
		finds("", in_folder("home"), of_home);
		finds("relative", in_folder("home"), of_home);
		run("touch home/.config/memtrace.conf config/memtrace.conf");
	}
	finds(NULL, NULL, NULL);
	finds("relative", "", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(lines), CASE(indented_lines_are_lines), CASE(comments), CASE(line_ends),
		CASE(byte_order_mark), CASE(no_line), CASE(sections), CASE(longest_line),
		CASE(longest_line_with_more), CASE(longest_key), CASE(reads_it_whole),
		CASE(too_large), CASE(no_file), CASE(unreadable), CASE(a_pipe_is_not_waited_for),
		CASE(a_nul_is_no_text), CASE(default_path),
	};

	return cmocka_run_group_tests_name("config", tests, make_folder, remove_folder);
}
