/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the options make of a file: its values, what beats them, and what is refused. */
#include "../../tracer/probe/probe.h"
#include "config_fixture.h"
#include "parsed.h"

static int teardown(void **state)
{
	alarm(0);
	options_release(&options);
	return 0;
}

static size_t printed_lines(void)
{
	size_t nr = 0;

	for (const char *at = printed; (at = strchr(at, '\n')); at++)
		nr++;
	return nr;
}

/* Refused, on one line that says this of that line. */
static void refused(const char *text, unsigned line, const char *words)
{
	char start[300];

	assert_int_equal(PARSE(text, "ls"), OPTIONS_WRONG);
	snprintf(start, sizeof(start), "memtrace: %s:%u: ", in_folder("conf"), line);
	assert_int_equal(strncmp(printed, start, strlen(start)), 0);
	assert_printed(words);
	assert_one_line();
}

static void every_key(void **state)
{
	RUN("duration = 5m\noutput = r.%p\nfollow-forks = 1\nengine = jump\nsample = 64K\n"
	    "overhead = 2.5\n"
	    "top = 3\nstack-depth = 32\nunwinder = libunwind\ndebug-dir = /\ndebug-dir = /tmp\n"
	    "stats = 1\nverbose = 1\nmemleak = 0\nformat = json\n", "ls");
	assert_int_equal(options.duration_ns, 300000000000);
	assert_string_equal(options.output, "r.%p");
	assert_true(options.follow_forks);
	assert_int_equal(options.engine, ENGINE_JUMP);
	assert_int_equal(options.sample_bytes, 64 << 10);
	assert_int_equal(options.overhead_ppm, 25000);
	assert_int_equal(options.top, 3);
	assert_int_equal(options.depth, 32);
	assert_ptr_equal(options.unwinder, &unwinder_libunwind);
	assert_int_equal(options.nr_debug_dirs, 2);
	assert_string_equal(options.debug_dirs[1], "/tmp");
	assert_true(options.stats);
	assert_int_equal(options.level, MESSAGE_VERBOSE);
	assert_false(options.memleak);
	assert_int_equal(options.nr_formats, 1);
	assert_string_equal(options.formats[0].format->name, "json");
}

static void an_empty_file_leaves_the_defaults(void **state)
{
	RUN("", "ls");
	assert_true(options.memleak);
	assert_int_equal(options.top, 10);
	assert_int_equal(options.depth, 64);
	assert_int_equal(options.level, MESSAGE_NORMAL);
	assert_string_equal(options.config, in_folder("conf"));
	assert_string_equal(options.config_text, "");
	RUN("# memleak = 0\n", "ls");
	assert_true(options.memleak);
}

static void command_line_beats_file(void **state)
{
	RUN("top = 3\nduration = 5m\noutput = a\nengine = jump\nstack-depth = 7\n", "-n", "5", "-d",
	    "1", "-o", "b", "--engine", "break", "ls");
	assert_int_equal(options.top, 5);
	assert_int_equal(options.duration_ns, 1000000000);
	assert_string_equal(options.output, "b");
	assert_int_equal(options.engine, ENGINE_BREAK);
	assert_int_equal(options.depth, 7);
	RUN("top = 3\n", "--top", "10", "ls");	/* also with what is the default */
	assert_int_equal(options.top, 10);
}

/* Those of the file are not added to the others. */
static void command_line_replaces_several(void **state)
{
	RUN("format = json:a\nformat = folded:b\ndebug-dir = /\ndebug-dir = /usr\n", "--format",
	    "text", "--debug-dir", "/tmp", "ls");
	assert_int_equal(options.nr_formats, 1);
	assert_string_equal(options.formats[0].format->name, "text");
	assert_int_equal(options.nr_debug_dirs, 1);
	assert_string_equal(options.debug_dirs[0], "/tmp");
	RUN("format = json:a\nformat = folded:b\n", "ls");
	assert_int_equal(options.nr_formats, 2);
	assert_string_equal(options.formats[1].file, "b");
	RUN("pid = 1\n", "-p", parent());
	assert_int_equal(options.nr_pids, 1);
	assert_int_equal(options.pids[0], getppid());
}

static void quiet_and_verbose(void **state)
{
	RUN("verbose = 1\n", "-q", "ls");
	assert_int_equal(options.level, MESSAGE_QUIET);
	RUN("quiet = 1\n", "-v", "ls");
	assert_int_equal(options.level, MESSAGE_VERBOSE);
	RUN("quiet = 1\n", "ls");
	assert_int_equal(options.level, MESSAGE_QUIET);
	RUN("quiet = 0\nverbose = 0\n", "ls");
	assert_int_equal(options.level, MESSAGE_NORMAL);
	RUN("quiet = 0\n", "-v", "ls");
	assert_int_equal(options.level, MESSAGE_VERBOSE);
}

static void flags(void **state)
{
	RUN("follow-forks = 0\nstats = 0\n", "ls");
	assert_false(options.follow_forks);
	assert_false(options.stats);
	RUN("follow-forks = 0\n", "-f", "ls");
	assert_true(options.follow_forks);
	refused("stats = yes\n", 1, "stats = yes: 0 or 1 is needed");
	refused("stats =\n", 1, "0 or 1 is needed");
	refused("stats = 10\n", 1, "0 or 1 is needed");
	refused("stats\n", 1, "a line is KEY = VALUE");
}

static void memleak_values(void **state)
{
	RUN("memleak = 0\n", "ls");
	assert_false(options.memleak);
	RUN("memleak = 0\nmemleak = 1\n", "ls");
	assert_true(options.memleak);
	refused("memleak = 2\n", 1, "memleak = 2: 0 or 1 is needed");
	refused("memleak = off\n", 1, "0 or 1 is needed");
	refused("memleak =\n", 1, "0 or 1 is needed");
	refused("Memleak = 1\n", 1, "no such key");
}

static void no_keys(void **state)
{
	static const char *const keys[] = {
		"c", "config", "help", "h", "version", "V", "n", "d", "p", "none", "TOP", "to",
		"top x", "-n", "--top", "",
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		char text[64];

		snprintf(text, sizeof(text), "\n%s = 1\n", keys[i]);
		refused(text, 2, "no such key; memleak and the long options are");
	}
}

static void bad_values(void **state)
{
	refused("\n\ntop = many\n", 3, "top = many: a number from 0");
	refused("duration = 5x\n", 1, "duration = 5x: a time such as 90");
	refused("engine = fast\n", 1, "auto, jump or break is needed");
	refused("sample = 3\n", 1, "a number of bytes from 1K to 1G");
	refused("overhead = 0\n", 1, "a percentage from 1 to 99");
	refused("stack-depth = 0\n", 1, "a number from 1 to 1024");
	refused("unwinder = dwarf\n", 1, "rules or libunwind");
	refused("format = xml\n", 1, "text, json, folded or mtrace");
	refused("debug-dir = /none/such\n", 1, "No such file");
}

/* What the command line has given is not even looked at. */
static void bad_values_overridden(void **state)
{
	RUN("top = many\nstats = yes\n", "-n", "3", "--stats", "ls");
	assert_int_equal(options.top, 3);
}

static void processes(void **state)
{
	char text[64];

	snprintf(text, sizeof(text), "pid = %s\n", parent());
	RUN(text, "-q");
	assert_int_equal(options.nr_pids, 1);
	assert_int_equal(options.pids[0], getppid());
	RUN(text, "ls");
	assert_int_equal(options.nr_pids, 0);
	RUN("pid = 2147483647\n", "ls");
	assert_int_equal(PARSE("pid = 2147483647\n", "-q"), OPTIONS_WRONG);
	assert_printed(":1: pid = 2147483647: no such process\n");
	assert_int_equal(PARSE("top = 3\n", "-q"), OPTIONS_WRONG);
	assert_printed("a process (-p PID) or a command is needed");
}

static void what_does_not_go_together(void **state)
{
	assert_int_equal(PARSE("sample = 64K\n", "--engine", "break", "ls"), OPTIONS_WRONG);
	assert_printed("--engine break stops at every call");
	assert_int_equal(PARSE("format = json\n", "ls"), OPTIONS_WRONG);
	assert_printed("--format json:FILE");
}

static void sections_are_refused(void **state)
{
	refused("top = 3\n\n[memtrace]\nmemleak = 0\n", 3, "a line is KEY = VALUE");
	refused("[memtrace]\n", 1, "a line is KEY = VALUE");
}

static void too_long_a_line(void **state)
{
	RUN(with_line("", "output = ", LINE_LONGEST, "\n"), "ls");
	assert_int_equal(strlen(options.output), LINE_LONGEST - strlen("output = "));
	refused(with_line("\n", "output = ", LINE_LONGEST + 1, "\n"), 2, "at most 190 bytes long");
}

static void every_error_has_its_line(void **state)
{
	static const char *const expected[] = {
		":2: none = 1: no such key", ":4: top = x: a number", ":7: memleak = 3: 0 or 1",
		":8: stats = 2: 0 or 1", ":6: a line is KEY = VALUE",
	};

	assert_int_equal(PARSE("# one\r\nnone = 1\n\n  top = x # y\nduration = 3\nnothing\n"
			       "memleak = 3\nstats = 2\n", "ls"), OPTIONS_WRONG);
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
		assert_printed(expected[i]);
	assert_int_equal(printed_lines(), 5);
	assert_int_equal(options.duration_ns, 3000000000);
}

static void what_is_shown_is_inert(void **state)
{
	refused("\033[2J = 1\n", 1, ": \\x1b[2J = 1: no such key");
	refused("top = \x07\xc2\x9b\xff\n", 1, ": top = \\x07\\u009b\xef\xbf\xbd: a number");
	assert_null(strpbrk(printed, "\033\x07\xff"));
	refused(with_line("", "\033\033\033\033\033\033\033", LINE_LONGEST - 4, " = 1\n"), 1,
		": \\x1b\\x1b\\x1b\\x1b\\x1b\\x1b\\x1bxxx");
}

static void files_that_are_none(void **state)
{
	static const struct {
		const char *name, *words;
	} files[] = {
		{ "none", "none: No such file or directory\n" },
		{ "folder", "folder: Is a directory\n" },
		{ "nul", "nul: Invalid or incomplete" },
		{ "large", "large: File too large\n" },
	};
	static char bytes[FILE_BYTES];

	memset(bytes, '#', sizeof(bytes));
	write_bytes("large", bytes, sizeof(bytes));
	write_bytes("nul", "top = 3\0\nwrong", 14);
	run("mkdir -p folder");
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		assert_int_equal(parse("-c", in_folder(files[i].name), "ls", NULL), OPTIONS_WRONG);
		assert_int_equal(strncmp(printed, "memtrace: -c ", 13), 0);
		assert_printed(files[i].words);
		assert_one_line();
	}
	assert_int_equal(parse("-c", "", "ls", NULL), OPTIONS_WRONG);
	assert_int_equal(parse("-c", NULL), OPTIONS_WRONG);
}

static void a_pipe_as_file(void **state)
{
	run("rm -f pipe && mkfifo pipe");
	assert_int_equal(parse("-c", in_folder("pipe"), "ls", NULL), OPTIONS_RUN);
	assert_string_equal(options.config_text, "");
}

static void the_last_file_counts(void **state)
{
	write_file("other", "top = 4\n");
	RUN("top = 3\n", "--config", in_folder("other"), "ls");
	assert_int_equal(options.top, 4);
}

/* Unless it is there, nothing is missed. */
static void the_default_file(void **state)
{
	run("mkdir -p config && rm -f config/*");
	setenv("XDG_CONFIG_HOME", in_folder("config"), 1);
	if (access(SYSTEM_PATH, F_OK)) {
		runs(parse("ls", NULL));
		assert_string_equal(options.config, in_folder("config/memtrace.conf"));
		assert_null(options.config_text);
	}
	write_file("config/memtrace.conf", "top = 3\n");
	runs(parse("ls", NULL));
	assert_int_equal(options.top, 3);
	RUN("stats = 1\n", "ls");	/* with -c it is not read */
	assert_int_equal(options.top, 10);
	write_file("config/memtrace.conf", "top = x\n");
	assert_int_equal(parse("ls", NULL), OPTIONS_WRONG);
	assert_printed("/config/memtrace.conf:1: top = x: ");
	unsetenv("XDG_CONFIG_HOME");
}

/* Users of services have such homes. */
static void a_home_that_is_none(void **state)
{
	static const char *const homes[] = { "/dev/null", "/none/such", "", "relative" };

	if (!access(SYSTEM_PATH, F_OK))
		skip();
	unsetenv("XDG_CONFIG_HOME");
	for (size_t i = 0; i < sizeof(homes) / sizeof(homes[0]); i++) {
		setenv("HOME", homes[i], 1);
		runs(parse("ls", NULL));
		assert_null(options.config_text);
	}
	unsetenv("HOME");
	runs(parse("ls", NULL));
	assert_null(options.config);
}

static void too_many(void **state)
{
	char text[2048] = "";

	for (int i = 0; i < OPTIONS_MAX; i++)
		strcat(text, "debug-dir = /\n");
	RUN(text, "ls");
	assert_int_equal(options.nr_debug_dirs, OPTIONS_MAX);
	strcat(text, "debug-dir = /\n");
	refused(text, OPTIONS_MAX + 1, "so many cannot be given");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(every_key), CASE(an_empty_file_leaves_the_defaults),
		CASE(command_line_beats_file), CASE(command_line_replaces_several),
		CASE(quiet_and_verbose), CASE(flags), CASE(memleak_values), CASE(no_keys),
		CASE(bad_values), CASE(bad_values_overridden), CASE(processes),
		CASE(what_does_not_go_together), CASE(sections_are_refused),
		CASE(too_long_a_line), CASE(every_error_has_its_line),
		CASE(what_is_shown_is_inert), CASE(files_that_are_none), CASE(a_pipe_as_file),
		CASE(the_last_file_counts), CASE(the_default_file), CASE(a_home_that_is_none),
		CASE(too_many),
	};

	return cmocka_run_group_tests_name("config_options", tests, make_folder, remove_folder);
}
