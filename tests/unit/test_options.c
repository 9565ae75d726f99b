/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Command lines parsed: what they give, and what is refused with which words. */
#include "../../tracer/base/message.h"
#include "../../tracer/probe/probe.h"
#include "parsed.h"

#define RUN(...) runs(parse(__VA_ARGS__, NULL))

/* Refused, on one line that says this. */
static void refused(enum options_result result, const char *words)
{
	assert_int_equal(result, OPTIONS_WRONG);
	assert_printed(words);
	assert_int_equal(strncmp(printed, "memtrace: ", 10), 0);
	assert_one_line();
}

#define REFUSED(words, ...) refused(parse(__VA_ARGS__, NULL), words)

static void defaults(void **state)
{
	RUN("ls");
	assert_int_equal(options.nr_pids, 0);
	assert_int_equal(options.duration_ns, 0);
	assert_int_equal(options.depth, 64);
	assert_int_equal(options.top, 10);
	assert_ptr_equal(options.unwinder, &unwinder_rules);
	assert_int_equal(options.nr_formats, 1);
	assert_string_equal(options.formats[0].format->name, "text");
	assert_null(options.formats[0].file);
	assert_null(options.output);
	assert_false(options.follow_forks);
	assert_false(options.stats);
}

static void durations(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} right[] = {
		{ "90", 90000000000 }, { "90s", 90000000000 }, { "5m", 300000000000 },
		{ "1h", 3600000000000 }, { "0.5", 500000000 }, { ".25s", 250000000 },
		{ "1.5m", 90000000000 }, { "0.001", 1000000 }, { "1e3", 1000000000000 },
		{ "1000000000", 1000000000000000000 },
	};
	static const char *const wrong[] = {
		"", "0", "-1", "abc", "5x", "5mm", "5 m", "m", "s", "0.0001", "nan", "inf", "1e10",
		"5m3", "1000000h",
	};

	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		RUN("-d", right[i].text, "ls");
		assert_int_equal(options.duration_ns, right[i].ns);
	}
	RUN("--duration=2", "ls");
	assert_int_equal(options.duration_ns, 2000000000);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		REFUSED("a time such as 90, 90s, 5m", "-d", wrong[i], "ls");
}

static void formats(void **state)
{
	RUN("--format", "json:a.json", "--format=folded:b", "--format", "text", "ls");
	assert_int_equal(options.nr_formats, 3);
	assert_string_equal(options.formats[0].format->name, "json");
	assert_string_equal(options.formats[0].file, "a.json");
	assert_string_equal(options.formats[1].format->name, "folded");
	assert_string_equal(options.formats[1].file, "b");
	assert_string_equal(options.formats[2].format->name, "text");
	assert_null(options.formats[2].file);
	RUN("--format", "json", "-o", "out", "ls");	/* -o is a file, too */
	RUN("--format", "json:a:b", "ls");
	assert_string_equal(options.formats[0].file, "a:b");
	RUN("--format", "json", "-p", parent());
	REFUSED("text, json, folded or mtrace", "--format", "xml", "ls");
	REFUSED("text, json, folded or mtrace", "--format", "json:", "ls");
	REFUSED("text, json, folded or mtrace", "--format", "", "ls");
	REFUSED("text, json, folded or mtrace", "--format", ":file", "ls");
	REFUSED("text, json, folded or mtrace", "--format", "jsonjsonjsonjsonjsonjsonjsonjsonjson", "ls");
	REFUSED("--format json:FILE or -o FILE", "--format", "json", "ls");
	REFUSED("--format folded:FILE", "--format", "text", "--format", "folded", "ls");
}

static void processes(void **state)
{
	RUN("-p", parent(), "--pid", parent(), "-p", "1");
	assert_int_equal(options.nr_pids, getppid() == 1 ? 1 : 2);
	assert_int_equal(options.pids[0], getppid());
	assert_null(options.command);
	REFUSED("no such process", "-p", "2147483647");
	REFUSED("a number from 1 to", "-p", "0");
	REFUSED("a number from 1 to", "-p", "-5");
	REFUSED("a number from 1 to", "-p", "12x");
	REFUSED("a number from 1 to", "-p", "");
	REFUSED("a number from 1 to", "-p", "99999999999999999999");
	REFUSED("do not go together", "-p", "1", "ls");
	REFUSED("a process (-p PID) or a command is needed", "-q");
	message_set_level(MESSAGE_NORMAL);
	{
		char self[16];

		snprintf(self, sizeof(self), "%d", getpid());
		REFUSED("memtrace itself", "-p", self);
	}
}

static void command_and_its_own_options(void **state)
{
	RUN("-n", "3", "ls", "-l", "-p", "1", "--help");
	assert_int_equal(options.top, 3);
	assert_int_equal(options.nr_pids, 0);
	assert_string_equal(options.command[0], "ls");
	assert_string_equal(options.command[1], "-l");
	assert_string_equal(options.command[4], "--help");
	assert_null(options.command[5]);
	RUN("--", "-odd-");
	assert_string_equal(options.command[0], "-odd-");
	assert_null(options.command[1]);
}

static void forgotten_p(void **state)
{
	char words[64];

	snprintf(words, sizeof(words), "did you mean -p %s?", parent());
	REFUSED(words, parent());
	RUN("2147483647");	/* no process: perhaps a command after all */
}

static void numbers(void **state)
{
	RUN("-n", "0", "-k", "1", "ls");
	assert_int_equal(options.top, 0);
	assert_int_equal(options.depth, 1);
	RUN("--top=7", "--stack-depth=1024", "ls");
	assert_int_equal(options.top, 7);
	assert_int_equal(options.depth, 1024);
	REFUSED("a number from 0", "-n", "-1", "ls");
	REFUSED("a number from 0", "-n", "1.5", "ls");
	REFUSED("a number from 1 to 1024", "-k", "0", "ls");
	REFUSED("a number from 1 to 1024", "-k", "1025", "ls");
	REFUSED("a number from 1 to 1024", "-k", "", "ls");
}

static void assert_function(size_t i, const char *name, bool is_free, unsigned argument)
{
	const struct option_function *function = &options.functions[i];

	assert_true(i < options.nr_functions);
	assert_int_equal(function->name_bytes, strlen(name));
	assert_memory_equal(function->name, name, strlen(name));
	assert_int_equal(function->is_free, is_free);
	assert_int_equal(function->argument, argument);
}

static void functions(void **state)
{
	static const char *const wrong[] = { "", ":", ":2", "get:", "get:7", "get:-1", "get:x", "get:2:3" };
	static const char *const mangled[] = {
		"Pool::get", "Pool::get:2", "get(int)", "Pool<int>", "operator new", "a,b",
	};

	RUN("--alloc", "get", "--alloc=put_away:2", "--free", "put:6", "--alloc", "node:0",
	    "--free=_ZN4Pool3putEPv:2", "ls");
	assert_int_equal(options.nr_functions, 5);
	assert_function(0, "get", false, 1);
	assert_function(1, "put_away", false, 2);
	assert_function(2, "put", true, 6);
	assert_function(3, "node", false, 0);
	assert_function(4, "_ZN4Pool3putEPv", true, 2);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(parse("--alloc", wrong[i], "ls", NULL), OPTIONS_WRONG);
	for (size_t i = 0; i < sizeof(mangled) / sizeof(mangled[0]); i++)
		REFUSED("by its mangled name", "--free", mangled[i], "ls");
	REFUSED("the name of a function is needed", "--alloc", ":2", "ls");
	REFUSED("arguments count from 1 to 6", "--free", "put:7", "ls");
	REFUSED("which argument is the pointer", "--free", "put:0", "ls");
	REFUSED("given before", "--alloc", "get:2", "--free", "get:1", "ls");
}

static void stacks_of_frees(void **state)
{
	RUN("ls");
	assert_false(options.free_stacks);
	RUN("--keep-stacktraces=alloc-and-free", "ls");
	assert_true(options.free_stacks);
	RUN("--keep-stacktraces", "alloc", "ls");
	assert_false(options.free_stacks);
	REFUSED("alloc or alloc-and-free is needed", "--keep-stacktraces=free", "ls");
}

static void logs(void **state)
{
	RUN("ls");
	assert_false(options_want_log(&options));
	RUN("-l", "ls");
	assert_true(options.log && options_want_log(&options));
	assert_null(options.log_file);
	RUN("--log-file", "f.%p", "ls");
	assert_true(options.log);
	assert_string_equal(options.log_file, "f.%p");
	RUN("--format", "mtrace:a", "--format", "text", "ls");
	assert_true(options_want_log(&options));
	assert_false(options.log);
	assert_null(options.formats[0].format);
	assert_string_equal(option_format_name(&options.formats[0]), "mtrace");
	assert_string_equal(options.formats[0].file, "a");
	RUN("--format", "mtrace", "-p", parent());
	REFUSED("--format mtrace:FILE or -o FILE", "--format", "mtrace", "ls");
	REFUSED("--sample and --log do not", "--sample", "1M", "--log", "ls");
	REFUSED("--sample and --format mtrace", "--sample", "1M", "--format", "mtrace:a", "ls");
}

static void overhead(void **state)
{
	static const char *const wrong[] = { "", "0", "0.9", "100", "-5", "10%", "nan", "x", "1 0" };

	RUN("ls");
	assert_int_equal(options.overhead_ppm, 0);
	RUN("--overhead", "10", "ls");
	assert_int_equal(options.overhead_ppm, 100000);
	RUN("--overhead=2.5", "--sample", "1M", "ls");
	assert_int_equal(options.overhead_ppm, 25000);
	RUN("--overhead", "99", "ls");
	assert_int_equal(options.overhead_ppm, 990000);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		REFUSED("a percentage from 1 to 99 is needed", "--overhead", wrong[i], "ls");
}

static void resolving(void **state)
{
	RUN("--resolve", "a.json");
	assert_string_equal(options.resolve, "a.json");
	assert_string_equal(option_format_name(&options.formats[0]), "text");
	RUN("--resolve=a.json", "--format", "json", "--format", "folded:b", "--debug-dir", "/");
	REFUSED("does not go together with -p", "--resolve", "a.json", "-p", parent());
	REFUSED("does not go together with ls", "--resolve", "a.json", "ls");
	REFUSED("--resolve and --log do not", "--resolve", "a.json", "-l");
	REFUSED("--resolve and --format mtrace", "--resolve", "a.json", "--format", "mtrace:b");
}

static void samples(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} right[] = {
		{ "1024", 1024 }, { "1K", 1024 }, { "512K", 512 << 10 }, { "3M", 3 << 20 },
		{ "1G", 1 << 30 }, { "1048576K", 1 << 30 },
	};
	static const char *const wrong[] = {
		"", "0", "1023", "-1K", "2G", "1T", "1k", "K", "1KK", "1.5M", "9999999999999999999G",
		"1048577K",
	};

	RUN("ls");
	assert_int_equal(options.sample_bytes, 0);
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		RUN("--sample", right[i].text, "ls");
		assert_int_equal(options.sample_bytes, right[i].bytes);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		REFUSED("a number of bytes from 1K to 1G is needed", "--sample", wrong[i], "ls");
	RUN("--sample=64K", "--engine", "jump", "ls");
	REFUSED("--engine break stops at every call", "--engine", "break", "--sample", "1K", "ls");
}

static void names_and_flags(void **state)
{
	RUN("-f", "--stats", "-o", "r.%p", "--unwinder", "libunwind", "ls");
	assert_true(options.follow_forks);
	assert_true(options.stats);
	assert_string_equal(options.output, "r.%p");
	assert_ptr_equal(options.unwinder, &unwinder_libunwind);
	RUN("--unwinder=rules", "ls");
	assert_ptr_equal(options.unwinder, &unwinder_rules);
	REFUSED("rules or libunwind", "--unwinder", "dwarf", "ls");
	RUN("--debug-dir", "/tmp", "--debug-dir=/", "ls");
	assert_int_equal(options.nr_debug_dirs, 2);
	assert_string_equal(options.debug_dirs[1], "/");
	REFUSED("No such file", "--debug-dir", "/none/such", "ls");
}

static void messages(void **state)
{
	RUN("ls");
	assert_int_equal(options.level, MESSAGE_NORMAL);
	RUN("-q", "ls");
	assert_int_equal(options.level, MESSAGE_QUIET);
	RUN("-v", "ls");
	assert_int_equal(options.level, MESSAGE_VERBOSE);
}

static void help_and_version(void **state)
{
	assert_int_equal(parse("--help", NULL), OPTIONS_DONE);
	assert_int_equal(strncmp(printed, "Usage: memtrace", 15), 0);
	assert_printed("--unwinder");
	assert_int_equal(parse("-V", NULL), OPTIONS_DONE);
	assert_string_equal(printed, "memtrace " MEMTRACE_VERSION "\n");
	assert_int_equal(parse("-h", "-x", NULL), OPTIONS_DONE);
}

static void unknown_ones(void **state)
{
	assert_int_equal(parse("-x", "ls", NULL), OPTIONS_WRONG);
	assert_printed("try memtrace --help");
	assert_int_equal(parse("--none", "ls", NULL), OPTIONS_WRONG);
	assert_int_equal(parse("-d", NULL), OPTIONS_WRONG);
	assert_int_equal(parse("--stats=1", "ls", NULL), OPTIONS_WRONG);
	assert_int_equal(parse(NULL), OPTIONS_WRONG);
	assert_printed("is needed");
}

/* Each table has an end. */
static void too_many(void **state)
{
	char *argv[2 * OPTIONS_MAX + 8] = { "memtrace" };
	static const struct {
		char *option, *value;
	} several[] = { { "--format", "text" }, { "--debug-dir", "/tmp" } };

	for (size_t kind = 0; kind < 2; kind++) {
		int argc = 1;

		for (int i = 0; i < OPTIONS_MAX; i++) {
			argv[argc++] = several[kind].option;
			argv[argc++] = several[kind].value;
		}
		argv[argc] = "ls";
		assert_int_equal(parse_words(argc + 1, argv), OPTIONS_RUN);
		argv[argc++] = several[kind].option;
		argv[argc++] = several[kind].value;
		argv[argc++] = "ls";
		assert_int_equal(parse_words(argc, argv), OPTIONS_WRONG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(durations),
		cmocka_unit_test(formats),
		cmocka_unit_test(processes),
		cmocka_unit_test(command_and_its_own_options),
		cmocka_unit_test(forgotten_p),
		cmocka_unit_test(numbers),
		cmocka_unit_test(overhead),
		cmocka_unit_test(samples),
		cmocka_unit_test(functions),
		cmocka_unit_test(stacks_of_frees),
		cmocka_unit_test(logs),
		cmocka_unit_test(resolving),
		cmocka_unit_test(names_and_flags),
		cmocka_unit_test(messages),
		cmocka_unit_test(help_and_version),
		cmocka_unit_test(unknown_ones),
		cmocka_unit_test(too_many),
	};

	/* Whoever tests may have options of their own. */
	setenv("XDG_CONFIG_HOME", "/none/such", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
