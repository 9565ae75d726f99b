/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memtrace: finds leaks in running processes.  Options, attach or launch, trace, report. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/inert.h"
#include "base/message.h"
#include "guard.h"
#include "options.h"
#include "output.h"
#include "probe/allocators.h"
#include "refusals.h"
#include "resolve.h"
#include "signals.h"
#include "stats.h"
#include "stream/namer.h"
#include "trace.h"

enum { EXIT_FAILED = 125, EXIT_CANNOT_RUN = 126, EXIT_NOT_FOUND = 127 };

/*
 * Whoever started us may have closed a standard descriptor: another file must not take its
 * number and the report with it.  Reads and writes fail as they would have; the command finds
 * it closed as before.
 */
static void fill_standard_descriptors(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void)open("/dev/null", (fd ? O_RDONLY : O_WRONLY) | O_CLOEXEC);
}

/* A second Ctrl-C skips what takes long. */
static bool is_in_a_hurry(void)
{
	return signals_end_requests() > 1;
}

static int add_function(const struct option_function *function)
{
	return allocators_add(function->name, function->name_bytes,
			      function->is_free ? CALL_FREE : CALL_ALLOC,
			      function->argument ? function->argument - 1 : AGENT_NO_SIZE);
}

/* Before the symbolizer is started, which is told the names. */
static int add_functions(const struct options *options)
{
	int error = 0;

	for (size_t i = 0; !error && i < options->nr_functions; i++)
		error = add_function(&options->functions[i]);
	if (error)
		message_error("--alloc and --free: %s", strerror(-error));
	return error;
}

static int start_symbolizer(const struct options *options, bool (*give_up)(void),
			    struct symbolizer **out)
{
	const struct symbolizer_config config = {
		.names = allocator_symbols(),
		.nr_names = allocator_functions_nr(),
		.debug_dirs = options->debug_dirs,
		.nr_debug_dirs = options->nr_debug_dirs,
		.give_up = give_up,
	};
	int error = symbolizer_start(&config, out);

	if (error)
		message_error("the symbolizer cannot be started: %s", strerror(-error));
	return error;
}

/* A module that is open keeps its descriptor in the symbolizer, a target its memory's. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

static int status_of_command(struct trace *trace)
{
	const struct run_facts *facts = &trace->runs.items[0]->facts;
	int status;

	if (facts->end == RUN_EXITED)
		return facts->end_value;
	if (facts->end == RUN_KILLED)
		return 128 + facts->end_value;
	if (guard_is_gone())
		return EXIT_FAILED;	/* nobody asks */
	status = trace_await_command(trace);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int status_of_failure(const struct options *options, int error)
{
	if (!options->command)
		return EXIT_FAILED;
	if (error == -ENOENT)
		return EXIT_NOT_FOUND;
	return error == -EACCES || error == -ENOEXEC || error == -EISDIR ? EXIT_CANNOT_RUN
									 : EXIT_FAILED;
}

/* Whoever asks by it may pass only what was looked at. */
static int status_of_errors(const struct options *options, const struct output_errors *errors,
			    int status)
{
	char why[sizeof(errors->doubt)];

	if (!options->error_exitcode)
		return status;
	if (errors->nr)
		return options->error_exitcode;
	if (!errors->in_doubt)
		return status;
	message_error("pid %d: there may be errors that were not seen: %s", (int)errors->in_doubt,
		      inert(why, sizeof(why), errors->doubt));
	return EXIT_FAILED;
}

static int run(const struct options *options, struct symbolizer *symbolizer, struct namer *namer)
{
	struct output_errors errors;
	struct trace trace;
	int error, status;

	trace_init(&trace, options, symbolizer, namer);
	error = trace_start(&trace);
	if (!error) {
		trace_loop(&trace);
		trace_close_logs(&trace);
		error = output_reports(&trace, is_in_a_hurry() ? NULL : symbolizer, &errors);
		if (options->stats)
			stats_print(&trace);
		status = options->command ? status_of_command(&trace) : 0;
		status = status_of_errors(options, &errors, status);
		if (error)
			status = EXIT_FAILED;
	} else {
		status = status_of_failure(options, error);
	}
	trace_deinit(&trace);
	return status;
}

/* Names for the logs, while the other symbolizer is there for what a target may wait for. */
static int trace_with_names(const struct options *options, struct symbolizer *symbolizer,
			    struct symbolizer *names)
{
	struct namer *namer = NULL;
	int status, error = names ? namer_create(names, &namer) : 0;

	if (error)
		message_warn("the log will have no names: %s", strerror(-error));
	status = run(options, symbolizer, namer);
	namer_destroy(namer);
	return status;
}

static int trace_as_asked(void *owner)
{
	const struct options *options = owner;
	struct symbolizer *symbolizer, *names = NULL;
	int status;

	if (refusals_check_run(options) || add_functions(options) ||
	    start_symbolizer(options, is_in_a_hurry, &symbolizer))
		return EXIT_FAILED;
	if (options_want_log(options))
		(void)start_symbolizer(options, namer_is_over, &names);
	raise_descriptor_limit();
	signals_install(options->command, NULL);
	status = trace_with_names(options, symbolizer, names);
	symbolizer_stop(names);
	symbolizer_stop(symbolizer);
	return status;
}

static int finish_report(const struct options *options)
{
	struct symbolizer *symbolizer;
	int error;

	if (refusals_check_run(options) || start_symbolizer(options, NULL, &symbolizer))
		return EXIT_FAILED;
	raise_descriptor_limit();
	error = resolve_report(options, symbolizer);
	symbolizer_stop(symbolizer);
	return error ? EXIT_FAILED : 0;
}

int main(int argc, char **argv)
{
	struct options options;
	int status = EXIT_FAILED;

	fill_standard_descriptors();
	switch (options_parse(&options, argc, argv)) {
	case OPTIONS_DONE:
		status = 0;
		break;
	case OPTIONS_WRONG:
		break;
	case OPTIONS_RUN:
		message_set_level(options.level);
		status = options.resolve ? finish_report(&options) :
			 guard_run(trace_as_asked, &options, options.command);
		break;
	}
	options_release(&options);
	return status;
}
