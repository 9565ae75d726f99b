/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files of options: their lines, what the options make of them, and the switch read again. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "folder.h"

#include "../../tracer/config.h"
#include "../../tracer/options.h"
#include "../../tracer/probe/probe.h"
#include "../../tracer/switch.h"

#define WORDS_MAX 16
#define FILE_BYTES 65536
#define LINE_LONGEST 190
#define NOBODY 65534

static struct options options;
static struct memleak_switch memleak;
static char printed[32768];	/* on standard error, by the last call */
static char told[8192];		/* "LINE:KEY=VALUE|", by the last parse */
static int capture_fd, saved_fd;

/* A test that hangs fails. */
static int setup(void **state)
{
	alarm(60);
	return 0;
}

static int teardown(void **state)
{
	alarm(0);
	switch_deinit(&memleak);
	options_release(&options);
	return 0;
}

static void capture_begin(void)
{
	capture_fd = memfd_create("printed", MFD_CLOEXEC);
	saved_fd = dup(2);
	assert_true(capture_fd >= 0 && saved_fd >= 0);
	fcntl(capture_fd, F_SETFL, O_APPEND);
	dup2(capture_fd, 2);
}

static void capture_end(void)
{
	ssize_t got;

	dup2(saved_fd, 2);
	close(saved_fd);
	got = pread(capture_fd, printed, sizeof(printed) - 1, 0);
	printed[got > 0 ? got : 0] = '\0';
	close(capture_fd);
}

static void assert_printed(const char *words)
{
	if (!strstr(printed, words))
		fail_msg("\"%s\" is not in: %s", words, printed);
}

static size_t printed_lines(void)
{
	size_t nr = 0;

	for (const char *at = printed; (at = strchr(at, '\n')); at++)
		nr++;
	return nr;
}

static void write_bytes(const char *name, const void *bytes, size_t nr)
{
	FILE *file = fopen(in_folder(name), "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, nr, file), nr);
	assert_int_equal(fclose(file), 0);
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

/* One of `length` bytes between these. */
static const char *with_line(const char *before, const char *start, size_t length,
			     const char *after)
{
	static char text[4096];
	size_t used = (size_t)sprintf(text, "%s%s", before, start);

	memset(text + used, 'x', length - strlen(start));
	strcpy(text + used + length - strlen(start), after);
	return text;
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

/* --- where it is --- */

#define SYSTEM_PATH "/etc/memtrace.conf"

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

/* --- options --- */

/* Words up to a NULL. */
static enum options_result parse(const char *first, ...)
{
	static char *argv[WORDS_MAX];	/* options.command points into it */
	enum options_result result;
	int argc = 1;
	va_list words;

	argv[0] = "memtrace";
	va_start(words, first);
	for (const char *word = first; word && argc < WORDS_MAX - 1; word = va_arg(words, char *))
		argv[argc++] = (char *)word;
	va_end(words);
	argv[argc] = NULL;
	options_release(&options);
	optind = 0;	/* glibc: start anew */
	capture_begin();
	result = options_parse(&options, argc, argv);
	capture_end();
	return result;
}

/* The words after -c FILE with this text. */
#define PARSE(text, ...) \
	(write_file("conf", text), parse("-c", in_folder("conf"), __VA_ARGS__, NULL))
#define RUN(text, ...) runs(PARSE(text, __VA_ARGS__))

static void runs(enum options_result result)
{
	assert_string_equal(printed, "");
	assert_int_equal(result, OPTIONS_RUN);
}

/* Refused, on one line that says this of that line. */
static void refused(const char *text, unsigned line, const char *words)
{
	char start[300];

	assert_int_equal(PARSE(text, "ls"), OPTIONS_WRONG);
	snprintf(start, sizeof(start), "memtrace: %s:%u: ", in_folder("conf"), line);
	assert_int_equal(strncmp(printed, start, strlen(start)), 0);
	assert_printed(words);
	assert_int_equal(printed_lines(), 1);
}

static const char *parent(void)
{
	static char text[16];

	snprintf(text, sizeof(text), "%d", getppid());
	return text;
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
		assert_int_equal(printed_lines(), 1);
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

/* --- the switch --- */

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
	assert_int_equal(printed_lines(), 1);
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

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(lines), CASE(indented_lines_are_lines), CASE(comments), CASE(line_ends),
		CASE(byte_order_mark), CASE(no_line), CASE(sections), CASE(longest_line),
		CASE(longest_line_with_more), CASE(longest_key),
		CASE(reads_it_whole), CASE(too_large), CASE(no_file), CASE(unreadable),
		CASE(a_pipe_is_not_waited_for), CASE(a_nul_is_no_text), CASE(default_path),
		CASE(every_key), CASE(an_empty_file_leaves_the_defaults),
		CASE(command_line_beats_file), CASE(command_line_replaces_several),
		CASE(quiet_and_verbose), CASE(flags), CASE(memleak_values), CASE(no_keys),
		CASE(bad_values), CASE(bad_values_overridden), CASE(processes),
		CASE(what_does_not_go_together), CASE(sections_are_refused),
		CASE(too_long_a_line), CASE(every_error_has_its_line),
		CASE(what_is_shown_is_inert), CASE(files_that_are_none), CASE(a_pipe_as_file),
		CASE(the_last_file_counts), CASE(the_default_file), CASE(a_home_that_is_none),
		CASE(too_many),
		CASE(turned_in_place), CASE(turned_by_another_file_of_that_name),
		CASE(removed_and_there_again), CASE(there_at_last), CASE(says_nothing_any_more),
		CASE(wrong_lines_are_told_once), CASE(wrong_and_right_lines),
		CASE(cannot_be_read), CASE(other_keys_are_for_the_next_run),
		CASE(processes_are_not_asked_for_again), CASE(without_a_file),
	};

	if (!mkdtemp(folder))
		return 1;
	return cmocka_run_group_tests_name("config", tests, NULL, remove_folder);
}
