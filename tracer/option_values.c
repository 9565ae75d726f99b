/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One small function a kind of value. */
#include "option_values.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe/probe.h"
#include "scan/inside.h"
#include "target/procfs.h"

#define SAMPLE_LEAST 1024
#define SAMPLE_MOST (1l << 30)

#define TOO_MANY "so many cannot be given"

const struct option option_table[] = {
	{ "pid", required_argument, NULL, 'p' },
	{ "duration", required_argument, NULL, 'd' },
	{ "output", required_argument, NULL, 'o' },
	{ "format", required_argument, NULL, OPTION_FORMAT },
	{ "log", no_argument, NULL, 'l' },
	{ "log-file", required_argument, NULL, OPTION_LOG_FILE },
	{ "follow-forks", no_argument, NULL, 'f' },
	{ "engine", required_argument, NULL, OPTION_ENGINE },
	{ "sample", required_argument, NULL, OPTION_SAMPLE },
	{ "overhead", required_argument, NULL, OPTION_OVERHEAD },
	{ "alloc", required_argument, NULL, OPTION_ALLOC },
	{ "free", required_argument, NULL, OPTION_FREE },
	{ "top", required_argument, NULL, 'n' },
	{ "stack-depth", required_argument, NULL, 'k' },
	{ "keep-stacktraces", required_argument, NULL, OPTION_KEEP_STACKTRACES },
	{ "scan", no_argument, NULL, OPTION_SCAN },
	{ "leak-check", required_argument, NULL, OPTION_LEAK_CHECK },
	{ "show-leak-kinds", required_argument, NULL, OPTION_SHOW_LEAK_KINDS },
	{ "leak-check-heuristics", required_argument, NULL, OPTION_LEAK_CHECK_HEURISTICS },
	{ "error-exitcode", required_argument, NULL, OPTION_ERROR_EXITCODE },
	{ "errors-for-leak-kinds", required_argument, NULL, OPTION_ERRORS_FOR_LEAK_KINDS },
	{ "config", required_argument, NULL, 'c' },
	{ "unwinder", required_argument, NULL, OPTION_UNWINDER },
	{ "debug-dir", required_argument, NULL, OPTION_DEBUG_DIR },
	{ "resolve", required_argument, NULL, OPTION_RESOLVE },
	{ "stats", no_argument, NULL, OPTION_STATS },
	{ "quiet", no_argument, NULL, 'q' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

static const char *set_number(const char *value, long least, long most, long *out)
{
	static char allowed[80];
	char *end;

	errno = 0;
	*out = strtol(value, &end, 10);
	if (!errno && end != value && !*end && *out >= least && *out <= most)
		return NULL;
	snprintf(allowed, sizeof(allowed), "a number from %ld to %ld is needed", least, most);
	return allowed;
}

static const char *set_duration(struct options *options, const char *value)
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
		return "a time such as 90, 90s, 5m, 1h or 0.5 is needed";
	options->duration_ns = (uint64_t)(seconds * 1e9);
	return NULL;
}

static const char *add_pid(struct options *options, const char *value)
{
	long pid, leader;
	const char *wrong = set_number(value, 1, INT32_MAX, &pid);

	if (wrong)
		return wrong;
	if (options->nr_pids == OPTIONS_MAX)
		return TOO_MANY;
	leader = procfs_status_number((pid_t)pid, "Tgid");
	if (leader < 0)
		return "no such process";
	if (leader == getpid())
		return "that is memtrace itself";
	for (size_t i = 0; i < options->nr_pids; i++)
		if (options->pids[i] == leader)
			return NULL;
	options->pids[options->nr_pids++] = (pid_t)leader;
	return NULL;
}

static const char *add_format(struct options *options, const char *value)
{
	static const char allowed[] = "text, json, folded or mtrace is needed, then perhaps "
				     ":FILE";
	const char *colon = strchr(value, ':');
	size_t length = colon ? (size_t)(colon - value) : strlen(value);
	struct option_format *format = &options->formats[options->nr_formats];
	char name[32];

	if (options->nr_formats == OPTIONS_MAX)
		return TOO_MANY;
	if (length >= sizeof(name) || (colon && !colon[1]))
		return allowed;
	memcpy(name, value, length);
	name[length] = '\0';
	format->format = report_format_find(name);
	format->stream = strcmp(name, stream_mtrace.name) ? NULL : &stream_mtrace;
	if (!format->format && !format->stream)
		return allowed;
	format->file = colon ? colon + 1 : NULL;
	options->nr_formats++;
	return NULL;
}

static const char *set_log_file(struct options *options, const char *value)
{
	options->log_file = value;
	options->log = true;
	return NULL;
}

static const char *set_unwinder(struct options *options, const char *value)
{
	if (!strcmp(value, unwinder_rules.name))
		options->unwinder = &unwinder_rules;
	else if (!strcmp(value, unwinder_libunwind.name))
		options->unwinder = &unwinder_libunwind;
	else
		return "rules or libunwind is needed";
	return NULL;
}

static const char *set_engine(struct options *options, const char *value)
{
	static const char *const names[] = {
		[ENGINE_AUTO] = "auto", [ENGINE_JUMP] = "jump", [ENGINE_BREAK] = "break",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(value, names[i]))
			continue;
		options->engine = (enum engine)i;
		return NULL;
	}
	return "auto, jump or break is needed";
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

static const char *set_sample(struct options *options, const char *value)
{
	char *end;
	long number = strtol(value, &end, 10);
	int shift = doublings(end);

	if (end == value || shift < 0 || number < 1 || number > SAMPLE_MOST ||
	    number << shift < SAMPLE_LEAST || number << shift > SAMPLE_MOST)
		return "a number of bytes from 1K to 1G is needed, such as 512K";
	options->sample_bytes = (uint64_t)number << shift;
	return NULL;
}

static const char *set_overhead(struct options *options, const char *value)
{
	char *end;
	double percent = strtod(value, &end);

	if (end == value || *end || !(percent >= 1 && percent <= 99))
		return "a percentage from 1 to 99 is needed, such as 10";
	options->overhead_ppm = (uint32_t)(percent * 10000 + 0.5);
	return NULL;
}

static const char *add_debug_dir(struct options *options, const char *value)
{
	if (options->nr_debug_dirs == OPTIONS_MAX)
		return TOO_MANY;
	if (access(value, R_OK | X_OK))
		return strerror(errno);
	options->debug_dirs[options->nr_debug_dirs++] = value;
	return NULL;
}

/* "::" is no colon of ours: that name is not one of the symbol table's. */
static const char *split_function(const char *value, struct option_function *out)
{
	const char *colon = strrchr(value, ':');
	size_t bytes = colon ? (size_t)(colon - value) : strlen(value);
	long argument = 1;

	if (strcspn(value, "(<> ,") < strlen(value) || strstr(value, "::"))
		return "a function of C++ or Rust is needed by its mangled name, as nm shows it";
	if (!bytes || memchr(value, ':', bytes))
		return "the name of a function is needed, then perhaps :NUMBER of an argument";
	if (colon && set_number(colon + 1, 0, AGENT_ARGUMENTS, &argument))
		return "arguments count from 1 to 6, which are those in registers; --alloc NAME:0: none "
		       "is the size";
	out->name = value;
	out->name_bytes = bytes;
	out->argument = (unsigned)argument;
	return NULL;
}

static bool is_same_name(const struct option_function *a, const struct option_function *b)
{
	return a->name_bytes == b->name_bytes && !memcmp(a->name, b->name, a->name_bytes);
}

static const char *add_function(struct options *options, const char *value, bool is_free)
{
	struct option_function function = { .is_free = is_free };
	const char *wrong = split_function(value, &function);

	if (wrong)
		return wrong;
	if (is_free && !function.argument)
		return "which argument is the pointer? they count from 1";
	for (size_t i = 0; i < options->nr_functions; i++)
		if (is_same_name(&options->functions[i], &function))
			return "this function has been given before";
	if (options->nr_functions == OPTIONS_MAX)
		return TOO_MANY;
	options->functions[options->nr_functions++] = function;
	return NULL;
}

static const char *set_top(struct options *options, const char *value)
{
	long number;
	const char *wrong = set_number(value, 0, INT32_MAX, &number);

	if (!wrong)
		options->top = (size_t)number;
	return wrong;
}

static const char *set_depth(struct options *options, const char *value)
{
	long number;
	const char *wrong = set_number(value, 1, WALK_DEPTH_MAX, &number);

	if (!wrong)
		options->depth = (uint32_t)number;
	return wrong;
}

/* valgrind's words. */
static const char *set_keep_stacktraces(struct options *options, const char *value)
{
	options->free_stacks = !strcmp(value, "alloc-and-free");
	return options->free_stacks || !strcmp(value, "alloc") ? NULL :
	       "alloc or alloc-and-free is needed";
}

static const char *set_leak_check(struct options *options, const char *value)
{
	static const char *const names[] = {
		[LEAK_CHECK_NO] = "no", [LEAK_CHECK_SUMMARY] = "summary", [LEAK_CHECK_FULL] = "full",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(value, names[i]))
			continue;
		options->leak_check = (enum leak_check)i;
		return NULL;
	}
	return "no, summary or full is needed";
}

struct set_member {
	const char *name;
	unsigned bits;
};

/* False: that is none of them. */
static bool add_member(const struct set_member *members, const char *name, size_t bytes,
		       unsigned *set)
{
	for (; members->name; members++) {
		if (strlen(members->name) != bytes || memcmp(members->name, name, bytes))
			continue;
		*set |= members->bits;
		return true;
	}
	return false;
}

/* Names between commas. */
static bool read_set(const struct set_member *members, const char *value, unsigned *out)
{
	unsigned set = 0;

	for (;; value++) {
		size_t bytes = strcspn(value, ",");

		if (!add_member(members, value, bytes, &set))
			return false;
		value += bytes;
		if (!*value)
			break;
	}
	*out = set;
	return true;
}

static const char *set_kinds(unsigned *out, const char *value)
{
	static const struct set_member members[] = {
		{ "definite", 1 << SITE_DEFINITE }, { "indirect", 1 << SITE_INDIRECT },
		{ "possible", 1 << SITE_POSSIBLE }, { "reachable", 1 << SITE_REACHABLE },
		{ "all", SITE_KINDS_ALL }, { "none", 0 }, { NULL, 0 },
	};

	return read_set(members, value, out) ? NULL :
	       "definite, indirect, possible and reachable between commas, all or none is needed";
}

static const char *set_error_exitcode(struct options *options, const char *value)
{
	long number;
	const char *wrong = set_number(value, 0, 255, &number);

	if (!wrong)
		options->error_exitcode = (int)number;
	return wrong;
}

static const char *set_heuristics(struct options *options, const char *value)
{
	static const struct set_member members[] = {
		{ "stdstring", INSIDE_STDSTRING }, { "length64", INSIDE_LENGTH64 },
		{ "newarray", INSIDE_NEWARRAY },
		{ "multipleinheritance", INSIDE_MULTIPLEINHERITANCE },
		{ "all", INSIDE_ALL }, { "none", 0 }, { NULL, 0 },
	};

	return read_set(members, value, &options->heuristics) ? NULL :
	       "stdstring, length64, newarray and multipleinheritance between commas, all or none is"
	       " needed";
}

uint64_t option_mark(int option)
{
	const struct option *entry = option_table;

	while (entry->name && entry->val != option)
		entry++;
	return 1ull << (entry - option_table);
}

const char *option_set_flag(struct options *options, int option, bool on)
{
	switch (option) {
	case 'l': options->log = on; return NULL;
	case 'f': options->follow_forks = on; return NULL;
	case OPTION_STATS: options->stats = on; return NULL;
	case OPTION_SCAN: options->scan = on; return NULL;
	case 'q': options->level = on ? MESSAGE_QUIET : MESSAGE_NORMAL; return NULL;
	case 'v': options->level = on ? MESSAGE_VERBOSE : MESSAGE_NORMAL; return NULL;
	default: return OPTION_UNKNOWN;
	}
}

const char *option_set(struct options *options, int option, const char *value)
{
	switch (option) {
	case 'p': return add_pid(options, value);
	case 'd': return set_duration(options, value);
	case 'o': options->output = value; return NULL;
	case OPTION_RESOLVE: options->resolve = value; return NULL;
	case OPTION_LOG_FILE: return set_log_file(options, value);
	case OPTION_FORMAT: return add_format(options, value);
	case 'n': return set_top(options, value);
	case 'k': return set_depth(options, value);
	case OPTION_KEEP_STACKTRACES: return set_keep_stacktraces(options, value);
	case OPTION_LEAK_CHECK: return set_leak_check(options, value);
	case OPTION_SHOW_LEAK_KINDS: return set_kinds(&options->kinds_shown, value);
	case OPTION_LEAK_CHECK_HEURISTICS: return set_heuristics(options, value);
	case OPTION_ERROR_EXITCODE: return set_error_exitcode(options, value);
	case OPTION_ERRORS_FOR_LEAK_KINDS: return set_kinds(&options->kinds_counted, value);
	case 'c': options->config = value; return NULL;
	case OPTION_ENGINE: return set_engine(options, value);
	case OPTION_SAMPLE: return set_sample(options, value);
	case OPTION_OVERHEAD: return set_overhead(options, value);
	case OPTION_ALLOC: return add_function(options, value, false);
	case OPTION_FREE: return add_function(options, value, true);
	case OPTION_UNWINDER: return set_unwinder(options, value);
	case OPTION_DEBUG_DIR: return add_debug_dir(options, value);
	default: return option_set_flag(options, option, true);
	}
}

const char *option_set_memleak(struct options *options, const char *value)
{
	if (strcmp(value, "0") && strcmp(value, "1"))
		return "0 or 1 is needed";
	options->memleak = *value == '1';
	return NULL;
}
