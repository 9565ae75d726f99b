/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The argument parser: a table for getopt_long and one small function a kind of value. */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/message.h"
#include "probe/probe.h"
#include "target/procfs.h"

#define DEPTH_DEFAULT 64
#define TOP_DEFAULT 10
#define SAMPLE_LEAST 1024
#define SAMPLE_MOST (1l << 30)

enum { OPTION_FORMAT = 256, OPTION_UNWINDER, OPTION_DEBUG_DIR, OPTION_STATS, OPTION_ENGINE,
       OPTION_SAMPLE };

static const struct option long_options[] = {
	{ "pid", required_argument, NULL, 'p' },
	{ "duration", required_argument, NULL, 'd' },
	{ "output", required_argument, NULL, 'o' },
	{ "format", required_argument, NULL, OPTION_FORMAT },
	{ "follow-forks", no_argument, NULL, 'f' },
	{ "engine", required_argument, NULL, OPTION_ENGINE },
	{ "sample", required_argument, NULL, OPTION_SAMPLE },
	{ "top", required_argument, NULL, 'n' },
	{ "stack-depth", required_argument, NULL, 'k' },
	{ "unwinder", required_argument, NULL, OPTION_UNWINDER },
	{ "debug-dir", required_argument, NULL, OPTION_DEBUG_DIR },
	{ "stats", no_argument, NULL, OPTION_STATS },
	{ "quiet", no_argument, NULL, 'q' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

static const char help[] =
	"Usage: memtrace [OPTION...] -p PID [-p PID...]\n"
	"       memtrace [OPTION...] [--] COMMAND [ARG...]\n"
	"Finds memory leaks in a running process, or in a command, from outside: no rebuild, no\n"
	"restart, no preloaded library.\n"
	"\n"
	"  -p, --pid PID             attach to a running process (a thread id means its process);\n"
	"                            may be given several times\n"
	"  -d, --duration TIME       detach after so long: 90, 90s, 5m, 1h, 0.5\n"
	"  -o, --output FILE         where the report goes (%p: the pid)\n"
	"      --format NAME[:FILE]  text (default), json or folded; may be given several times\n"
	"  -f, --follow-forks        trace children too, one report each\n"
	"      --engine NAME         auto (default), jump or break: how calls are caught\n"
	"      --sample BYTES        for production: draw one sample in so many bytes allocated (512K)\n"
	"                            and report estimates with their errors\n"
	"  -n, --top N               how many places the text report shows (10; 0: all)\n"
	"  -k, --stack-depth N       frames kept of a stack (64)\n"
	"      --unwinder NAME       rules (default) or libunwind\n"
	"      --debug-dir DIR       further separate debug files; may be given several times\n"
	"      --stats               what the tracing itself cost\n"
	"  -q, --quiet               no messages but errors\n"
	"  -v, --verbose             more messages\n"
	"  -h, --help                this text\n"
	"  -V, --version             the version\n"
	"\n"
	"With -p the report goes to standard output; with a command to standard error, and a\n"
	"machine format then needs a FILE.  Ctrl-C ends an attached run with a full report; the\n"
	"process goes on.  See memtrace(1).\n";

static bool wrong(const char *option, const char *value, const char *allowed)
{
	message_error("%s %s: %s", option, value, allowed);
	return false;
}

static bool parse_number(const char *option, const char *value, long least, long most, long *out)
{
	char *end, allowed[80];

	errno = 0;
	*out = strtol(value, &end, 10);
	if (!errno && end != value && !*end && *out >= least && *out <= most)
		return true;
	snprintf(allowed, sizeof(allowed), "a number from %ld to %ld is needed", least, most);
	return wrong(option, value, allowed);
}

static bool parse_duration(const char *value, uint64_t *out_ns)
{
	char *end;
	double seconds = strtod(value, &end), unit = 1;

	if (*end == 'm')
		unit = 60;
	else if (*end == 'h')
		unit = 3600;
	if (end != value && *end && strchr("smh", *end))
		end++;
	seconds *= unit;
	if (end == value || *end || !(seconds >= 0.001 && seconds <= 1e9))
		return wrong("-d", value, "a time such as 90, 90s, 5m, 1h or 0.5 is needed");
	*out_ns = (uint64_t)(seconds * 1e9);
	return true;
}

static bool parse_pid(struct options *options, const char *value)
{
	long pid, leader;

	if (options->nr_pids == OPTIONS_MAX)
		return wrong("-p", value, "too many processes");
	if (!parse_number("-p", value, 1, INT32_MAX, &pid))
		return false;
	leader = procfs_status_number((pid_t)pid, "Tgid");
	if (leader < 0)
		return wrong("-p", value, "no such process");
	if (leader == getpid())
		return wrong("-p", value, "that is memtrace itself");
	for (size_t i = 0; i < options->nr_pids; i++)
		if (options->pids[i] == leader)
			return true;
	options->pids[options->nr_pids++] = (pid_t)leader;
	return true;
}

static bool parse_format(struct options *options, const char *value)
{
	const char *colon = strchr(value, ':');
	size_t length = colon ? (size_t)(colon - value) : strlen(value);
	struct option_format *format = &options->formats[options->nr_formats];
	char name[32];

	if (options->nr_formats == OPTIONS_MAX || length >= sizeof(name) || (colon && !colon[1]))
		return wrong("--format", value, "text, json or folded is needed, then perhaps :FILE");
	memcpy(name, value, length);
	name[length] = '\0';
	format->format = report_format_find(name);
	if (!format->format)
		return wrong("--format", value, "text, json or folded is needed, then perhaps :FILE");
	format->file = colon ? colon + 1 : NULL;
	options->nr_formats++;
	return true;
}

static bool parse_unwinder(struct options *options, const char *value)
{
	if (!strcmp(value, unwinder_rules.name))
		options->unwinder = &unwinder_rules;
	else if (!strcmp(value, unwinder_libunwind.name))
		options->unwinder = &unwinder_libunwind;
	else
		return wrong("--unwinder", value, "rules or libunwind is needed");
	return true;
}

static bool parse_engine(struct options *options, const char *value)
{
	static const char *const names[] = {
		[ENGINE_AUTO] = "auto", [ENGINE_JUMP] = "jump", [ENGINE_BREAK] = "break",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(value, names[i]))
			continue;
		options->engine = (enum engine)i;
		return true;
	}
	return wrong("--engine", value, "auto, jump or break is needed");
}

/* How often a number of bytes is to be doubled; -1: that is no unit. */
static int doublings(const char *unit)
{
	static const char *const units[] = { "", "K", "M", "G" };

	for (int i = 0; i < 4; i++)
		if (!strcmp(unit, units[i]))
			return 10 * i;
	return -1;
}

static bool parse_sample(struct options *options, const char *value)
{
	char *end;
	long number = strtol(value, &end, 10);
	int shift = doublings(end);

	if (end == value || shift < 0 || number < 1 || number > SAMPLE_MOST ||
	    number << shift < SAMPLE_LEAST || number << shift > SAMPLE_MOST)
		return wrong("--sample", value, "a number of bytes from 1K to 1G is needed, such "
						"as 512K");
	options->sample_bytes = (uint64_t)number << shift;
	return true;
}

static bool parse_debug_dir(struct options *options, const char *value)
{
	if (options->nr_debug_dirs == OPTIONS_MAX)
		return wrong("--debug-dir", value, "too many directories");
	if (access(value, R_OK | X_OK))
		return wrong("--debug-dir", value, strerror(errno));
	options->debug_dirs[options->nr_debug_dirs++] = value;
	return true;
}

static bool parse_option(struct options *options, int option, const char *value)
{
	long number = 0;
	bool right = true;

	switch (option) {
	case 'p':
		return parse_pid(options, value);
	case 'd':
		return parse_duration(value, &options->duration_ns);
	case 'o':
		options->output = value;
		return true;
	case OPTION_FORMAT:
		return parse_format(options, value);
	case 'f':
		options->follow_forks = true;
		return true;
	case 'n':
		right = parse_number("-n", value, 0, INT32_MAX, &number);
		options->top = (size_t)number;
		return right;
	case 'k':
		right = parse_number("-k", value, 1, WALK_DEPTH_MAX, &number);
		options->depth = (uint32_t)number;
		return right;
	case OPTION_ENGINE:
		return parse_engine(options, value);
	case OPTION_SAMPLE:
		return parse_sample(options, value);
	case OPTION_UNWINDER:
		return parse_unwinder(options, value);
	case OPTION_DEBUG_DIR:
		return parse_debug_dir(options, value);
	case OPTION_STATS:
		options->stats = true;
		return true;
	case 'q':
		message_set_level(MESSAGE_QUIET);
		return true;
	case 'v':
		message_set_level(MESSAGE_VERBOSE);
		return true;
	default:
		message_error("try memtrace --help");
		return false;
	}
}

/* `memtrace 1234` most likely means a process. */
static bool is_forgotten_p(const char *word)
{
	char *end;
	long pid = strtol(word, &end, 10);

	return !*end && pid > 0 && access(word, X_OK) &&
	       procfs_status_number((pid_t)pid, "Tgid") > 0;
}

static bool check_together(struct options *options)
{
	if (!options->command && !options->nr_pids) {
		message_error("a process (-p PID) or a command is needed; try memtrace --help");
		return false;
	}
	if (options->command && options->nr_pids) {
		message_error("-p and a command do not go together: %s", options->command[0]);
		return false;
	}
	if (options->command && is_forgotten_p(options->command[0])) {
		message_error("%s is a process, not a command: did you mean -p %s?",
			      options->command[0], options->command[0]);
		return false;
	}
	if (options->sample_bytes && options->engine == ENGINE_BREAK) {
		message_error("--sample needs the engine jump: --engine break stops at every call");
		return false;
	}
	if (!options->nr_formats)
		options->formats[options->nr_formats++].format = report_format_find("text");
	for (size_t i = 0, shared = 0; options->output && i < options->nr_formats; i++) {
		shared += !options->formats[i].file;
		if (shared < 2)
			continue;
		message_error("-o takes one report only; give each format its own: --format %s:FILE",
			      options->formats[i].format->name);
		return false;
	}
	for (size_t i = 0; options->command && !options->output && i < options->nr_formats; i++) {
		if (options->formats[i].file || !strcmp(options->formats[i].format->name, "text"))
			continue;
		message_error("--format %s needs a file with a command, whose output standard "
			      "error may be: --format %s:FILE or -o FILE",
			      options->formats[i].format->name, options->formats[i].format->name);
		return false;
	}
	return true;
}

enum options_result options_parse(struct options *options, int argc, char **argv)
{
	int option;

	*options = (struct options){
		.depth = DEPTH_DEFAULT, .top = TOP_DEFAULT, .unwinder = &unwinder_rules,
	};
	/* '+': options end at the first word that is none, as the command's follow. */
	while ((option = getopt_long(argc, argv, "+p:d:o:fn:k:qvhV", long_options, NULL)) != -1) {
		if (option == 'h') {
			fputs(help, stdout);
			return OPTIONS_DONE;
		}
		if (option == 'V') {
			puts("memtrace " MEMTRACE_VERSION);
			return OPTIONS_DONE;
		}
		if (!parse_option(options, option, optarg))
			return OPTIONS_WRONG;
	}
	if (optind < argc)
		options->command = argv + optind;
	return check_together(options) ? OPTIONS_RUN : OPTIONS_WRONG;
}
