/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line, by getopt_long, and what goes together. */
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/message.h"
#include "option_file.h"
#include "option_values.h"
#include "probe/probe.h"
#include "scan/inside.h"
#include "target/procfs.h"

#define DEPTH_DEFAULT 64
#define TOP_DEFAULT 10

static const char help[] =
	"Usage: memtrace [OPTION...] -p PID [-p PID...]\n"
	"       memtrace [OPTION...] [--] COMMAND [ARG...]\n"
	"       memtrace [OPTION...] --scan -p PID [-p PID...]\n"
	"       memtrace [OPTION...] --resolve FILE\n"
	"Finds memory leaks in a running process, or in a command, from outside: no rebuild, no\n"
	"restart, no preloaded library.\n"
	"\n"
	"  -p, --pid PID             attach to a running process (a thread id means its process);\n"
	"                            may be given several times\n"
	"  -d, --duration TIME       detach after so long: 90, 90s, 5m, 1h, 0.5\n"
	"  -o, --output FILE         where the report goes (%p: the pid)\n"
	"      --format NAME[:FILE]  text (default), json or folded, or mtrace: a log of all calls as\n"
	"                            mtrace(3) writes it; may be given several times\n"
	"  -l, --log                 print every call as it happens, and the counts at the end\n"
	"      --log-file FILE       ... to a file (%p: the pid) in place of standard error\n"
	"  -f, --follow-forks        trace children too, one report each\n"
	"      --engine NAME         auto (default), jump or break: how calls are caught\n"
	"      --sample BYTES        for production: draw one sample in so many bytes allocated (512K)\n"
	"                            and report estimates with their errors\n"
	"      --overhead PERCENT    beyond this share of the process's time spent stopped, do not watch\n"
	"                            for a while; the report says how much was not watched\n"
	"      --alloc NAME[:SIZEARG], --free NAME[:PTRARG]\n"
	"                            a custom allocator's functions (1-based argument numbers, 1 if not\n"
	"                            given; SIZEARG 0: it has none); may be given several times\n"
	"  -n, --top N               how many places the text report shows (10; 0: all)\n"
	"  -k, --stack-depth N       frames kept of a stack (64)\n"
	"      --keep-stacktraces KIND\n"
	"                            alloc (default) or alloc-and-free: frees keep their whole stacks,\n"
	"                            too, so that a wrong one is told with them\n"
	"      --scan                trace nothing: take one look at the heap, and leave: what is lost,\n"
	"                            what blocks there are, and what keeps them\n"
	"      --leak-check WHEN     full (default), summary, or no: whether the process's memory is\n"
	"                            looked at, at its end or when it is let go, for pointers to the\n"
	"                            blocks that are left\n"
	"      --show-leak-kinds SET which places the text report shows: definite,possible (default),\n"
	"                            indirect, reachable, all or none; what grows is always shown\n"
	"      --leak-check-heuristics SET\n"
	"                            pointers to the inside of a block that count as pointers to it:\n"
	"                            all (default), none, stdstring, length64, newarray,\n"
	"                            multipleinheritance\n"
	"      --error-exitcode N    end with this status, 1 to 255, if there are errors: wrong frees and\n"
	"                            leaks; with 125 if some may not have been seen\n"
	"      --errors-for-leak-kinds SET\n"
	"                            which leaks are errors: definite,possible (default), and so on\n"
	"  -c, --config FILE         a file of options, \"key = value\" a line; memleak = 0 or 1 in it\n"
	"                            switches watching off or on, also while memtrace runs\n"
	"      --unwinder NAME       rules (default) or libunwind\n"
	"      --debug-dir DIR       further separate debug files; may be given several times\n"
	"      --resolve FILE        finish a JSON report where the debug files are: look up the\n"
	"                            names that it lacks, and print it\n"
	"      --stats               what the tracing itself cost\n"
	"  -q, --quiet               no messages but errors\n"
	"  -v, --verbose             more messages\n"
	"  -h, --help                this text\n"
	"  -V, --version             the version\n"
	"\n"
	"With -p the report goes to standard output; with a command to standard error, and a\n"
	"machine format then needs a FILE.  Ctrl-C ends an attached run with a full report; the\n"
	"process goes on.  See memtrace(1).\n";

/* As the user wrote it, or would. */
static void name_option(int option, char *out, size_t bytes)
{
	const struct option *entry = option_table;

	while (entry->name && entry->val != option)
		entry++;
	if (option < OPTION_FORMAT)
		snprintf(out, bytes, "-%c", option);
	else
		snprintf(out, bytes, "--%s", entry->name);
}

static bool parse_option(struct options *options, int option, const char *value)
{
	const char *wrong = option_set(options, option, value);
	char name[32];

	if (!wrong)
		return true;
	name_option(option, name, sizeof(name));
	if (option == '?')
		message_error("%s", wrong); /* getopt has said what it is about */
	else
		message_error("%s %s: %s", name, value, wrong);
	return false;
}

/* `memtrace 1234` most likely means a process. */
static bool is_forgotten_p(const char *word)
{
	char *end;
	long pid = strtol(word, &end, 10);

	return !*end && pid > 0 && access(word, X_OK) &&
	       procfs_status_number((pid_t)pid, "Tgid") > 0;
}

bool options_want_log(const struct options *options)
{
	for (size_t i = 0; i < options->nr_formats; i++)
		if (options->formats[i].stream)
			return true;
	return options->log;
}

static bool check_resolve(const struct options *options)
{
	if (options->command || options->nr_pids) {
		message_error("--resolve finishes a report: it does not go together with %s",
			      options->command ? options->command[0] : "-p");
		return false;
	}
	if (options_want_log(options)) {
		message_error("--resolve and %s do not go together: a report is no log of all calls",
			      options->log ? "--log" : "--format mtrace");
		return false;
	}
	return true;
}

/* What makes no sense without a trace. */
static bool check_scan(const struct options *options)
{
	const char *other = options->command ? options->command[0] :
			    options->resolve ? "--resolve" :
			    options->duration_ns ? "--duration" :
			    options->sample_bytes ? "--sample" :
			    options_want_log(options) ? "a log of all calls" :
			    options->leak_check == LEAK_CHECK_NO ? "--leak-check=no" : NULL;

	if (other)
		message_error("--scan takes one look at running processes (-p): it does not go"
			      " together with %s", other);
	return !other;
}

static bool check_together(struct options *options)
{
	if (options->scan && !check_scan(options))
		return false;
	if (options->resolve && !check_resolve(options))
		return false;
	if (!options->resolve && !options->command && !options->nr_pids) {
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
	if (options->sample_bytes && options_want_log(options)) {
		message_error("--sample and %s do not go together: samples are no log of all calls",
			      options->log ? "--log" : "--format mtrace");
		return false;
	}
	if (options->error_exitcode && (options->sample_bytes || options->resolve)) {
		message_error("--error-exitcode and %s do not go together: %s",
			      options->resolve ? "--resolve" : "--sample",
			      options->resolve ? "the program has ended long ago" :
						 "samples tell of no single error");
		return false;
	}
	if (!options->nr_formats)
		options->formats[options->nr_formats++].format = report_format_find("text");
	for (size_t i = 0, shared = 0; options->output && i < options->nr_formats; i++) {
		shared += !options->formats[i].file;
		if (shared < 2)
			continue;
		message_error("-o takes one report only; give each format its own: --format %s:FILE",
			      option_format_name(&options->formats[i]));
		return false;
	}
	for (size_t i = 0; options->command && !options->output && i < options->nr_formats; i++) {
		if (options->formats[i].file || !strcmp(option_format_name(&options->formats[i]), "text"))
			continue;
		message_error("--format %s needs a file with a command, whose output standard "
			      "error may be: --format %s:FILE or -o FILE",
			      option_format_name(&options->formats[i]), option_format_name(&options->formats[i]));
		return false;
	}
	return true;
}

/* -q and -v set the same thing. */
static uint64_t marks_of(int option)
{
	return option == 'q' || option == 'v' ? option_mark('q') | option_mark('v') :
						option_mark(option);
}

static enum options_result parse_words(struct options *options, int argc, char **argv,
				       uint64_t *given)
{
	int option;

	/* '+': options end at the first word that is none, as the command's follow. */
	while ((option = getopt_long(argc, argv, "+p:d:o:lfn:k:c:qvhV", option_table, NULL)) != -1) {
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
		*given |= marks_of(option);
	}
	if (optind < argc)
		options->command = argv + optind;
	return OPTIONS_RUN;
}

enum options_result options_parse(struct options *options, int argc, char **argv)
{
	enum options_result result;
	uint64_t given = 0;

	*options = (struct options){
		.depth = DEPTH_DEFAULT, .top = TOP_DEFAULT, .unwinder = &unwinder_rules,
		.leak_check = LEAK_CHECK_FULL, .heuristics = INSIDE_ALL,
		.kinds_shown = SITE_KINDS_DEFAULT, .kinds_counted = SITE_KINDS_DEFAULT,
		.level = MESSAGE_NORMAL, .memleak = true,
	};
	result = parse_words(options, argc, argv, &given);
	/* The command's own process is what is to be traced, whatever a file says. */
	if (options->command || options->resolve)
		given |= option_mark('p');
	if (result == OPTIONS_RUN &&
	    (!options_read_file(options, given) || !check_together(options)))
		result = OPTIONS_WRONG;
	return result;
}
