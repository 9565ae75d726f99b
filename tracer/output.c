/* SPDX-License-Identifier: GPL-2.0-or-later */
/* File names, streams, and a model for each run. */
#include "output.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/message.h"
#include "file_name.h"
#include "report/errors.h"

static int told(const char *path, int error)
{
	message_error("%s: report not written: %s", path, strerror(-error));
	return error;
}

static bool wants_color(FILE *out)
{
	const char *no_color = getenv("NO_COLOR");

	return (!no_color || !*no_color) && isatty(fileno(out));
}

static int print(const struct model *model, const struct report_format *format,
		 const struct output *output, FILE *out)
{
	const struct report_style style = {
		.color = wants_color(out),
		.one_line = output->one_line,
		.top = output->options->top,
		.kinds = output->options->kinds_shown,
		.error_kinds = output->options->kinds_counted,
		.summary = output->options->leak_check == LEAK_CHECK_SUMMARY,
	};
	int error = format->print(model, &style, out);

	errno = 0;
	if (!error && (fflush(out) || ferror(out)))
		error = errno ? -errno : -EIO;
	return error;
}

static int print_to_file(const struct model *model, const struct option_format *format,
			 const char *pattern, const struct output *output)
{
	char path[PATH_MAX];
	int error = file_name_expand(pattern, model->facts->pid, output->several, path,
				     sizeof(path));
	FILE *out;

	if (error)
		return told(pattern, error);
	out = fopen(path, "we");
	if (!out)
		return told(path, -errno);
	error = print(model, format->format, output, out);
	if (fclose(out) && !error)
		error = -errno;
	return error ? told(path, error) : 0;
}

static int print_one(const struct model *model, const struct option_format *format,
		     const struct output *output)
{
	const struct options *options = output->options;
	const char *pattern = format->file ? format->file : options->output;
	FILE *stream = options->command ? stderr : stdout;
	int error;

	if (pattern)
		return print_to_file(model, format, pattern, output);
	error = print(model, format->format, output, stream);
	return error ? told(options->command ? "standard error" : "standard output", error) : 0;
}

int output_model(const struct model *model, const struct output *output)
{
	int result = 0, error;

	for (size_t i = 0; i < output->options->nr_formats; i++) {
		if (!output->options->formats[i].format)
			continue;
		error = print_one(model, &output->options->formats[i], output);
		if (error)
			result = error;
	}
	return result;
}

/* 0: all of them.  A stack that nobody will see need not be resolved. */
static size_t sites_named(const struct options *options)
{
	for (size_t i = 0; i < options->nr_formats; i++)
		if (options->formats[i].format && !options->formats[i].format->of_top)
			return 0;
	return options->top;
}

static void count_errors(const struct model *model, unsigned kinds, struct output_errors *errors)
{
	const char *doubt = errors_doubt(model);

	errors->nr += errors_count(model, kinds).errors;
	if (!doubt || errors->in_doubt)
		return;
	errors->in_doubt = model->facts->pid;
	snprintf(errors->doubt, sizeof(errors->doubt), "%s", doubt);
}

static int report_run(const struct trace *trace, struct run *run, struct symbolizer *symbolizer,
		      struct output_errors *errors)
{
	bool several = trace->runs.nr > 1 || trace->options->follow_forks;
	const struct output output = {
		.options = trace->options, .several = several, .one_line = several,
	};
	const struct report_style named = {
		.top = sites_named(trace->options), .kinds = trace->options->kinds_shown,
	};
	const struct scan *scan = run_await_scan(run);
	struct model model;
	int error = model_build(&model, &run->facts, &run->heaps[0], scan, symbolizer, &named);

	if (error)
		return told("report", error);
	error = output_model(&model, &output);
	count_errors(&model, trace->options->kinds_counted, errors);
	model_release(&model);
	return error;
}

int output_reports(const struct trace *trace, struct symbolizer *symbolizer,
		   struct output_errors *errors)
{
	int result = 0, error;

	*errors = (struct output_errors){ 0 };
	for (size_t i = 0; i < trace->runs.nr; i++) {
		error = report_run(trace, trace->runs.items[i], symbolizer, errors);
		if (error)
			result = error;
	}
	return result;
}
