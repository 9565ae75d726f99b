/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Read, find files, look up, print: for each report of the file. */
#include "resolve.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/array.h"
#include "base/inert.h"
#include "base/message.h"
#include "module_search.h"
#include "output.h"
#include "report/names.h"
#include "report/places.h"
#include "report/saved.h"
#include "report/variables.h"

#define READ_BYTES (1 << 20)

struct text {
	char *items;
	size_t nr, room;
};

/* All of it, since what is printed may take its place.  The parser counts in int. */
static int read_stream(FILE *file, struct text *text)
{
	size_t got = READ_BYTES;

	while (got == READ_BYTES) {
		if (text->nr > INT_MAX - READ_BYTES)
			return -EFBIG;
		while (text->room - text->nr < READ_BYTES)
			if (array_grow((void **)&text->items, &text->room, text->room, 1))
				return -ENOMEM;
		got = fread(text->items + text->nr, 1, READ_BYTES, file);
		text->nr += got;
	}
	return ferror(file) ? -errno : 0;
}

/* A file may want any multiple of its own size: that is refused, and not the rest of the machine. */
static void limit_memory(void)
{
#if !defined(__SANITIZE_ADDRESS__)	/* its shadow would count */
	long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
	struct rlimit limit;

	if (pages <= 0 || page_bytes <= 0 || getrlimit(RLIMIT_DATA, &limit))
		return;
	if (limit.rlim_cur > (rlim_t)pages / 2 * (rlim_t)page_bytes)
		limit.rlim_cur = (rlim_t)pages / 2 * (rlim_t)page_bytes;
	(void)setrlimit(RLIMIT_DATA, &limit);
#endif
}

static int read_file(const char *path, struct text *text)
{
	FILE *file = fopen(path, "re");
	int error;

	if (!file)
		return -errno;
	errno = EIO;
	error = read_stream(file, text);
	fclose(file);
	return error;
}

static void tell_missing(const struct run_module *module, enum module_search_result result)
{
	char path[256], id[2 * BUILD_ID_MAX + 1];

	inert(path, sizeof(path), module->path);
	if (!module->build_id_bytes)
		message_warn("%s: without a build id no file can be known for it: no names from "
			     "there", path);
	else if (result == SEARCH_ANOTHER)
		message_warn("%s: the file here has another build id than %s: no names from there; "
			     "see --debug-dir", path, place_build_id(id, sizeof(id), module));
	else
		message_warn("%s: no file with its build id %s is found here: no names from there; "
			     "see --debug-dir", path, place_build_id(id, sizeof(id), module));
}

/* Nothing is opened for what has all its names. */
static void find_files(struct saved *saved, const struct module_search *search)
{
	for (size_t i = 0; i < saved->facts.nr_modules; i++) {
		struct run_module *module = &saved->modules[i];
		enum module_search_result result;

		if (!names_are_missing(&saved->model, (uint32_t)i + 1) &&
		    !variables_are_missing(&saved->model, (uint32_t)i + 1))
			continue;
		result = module_search(search, module);
		if (result != SEARCH_FOUND)
			tell_missing(module, result);
	}
}

static int finish(struct saved *saved, const struct module_search *search)
{
	int error;

	saved->model.symbolizer = search->symbolizer;
	find_files(saved, search);
	error = names_complete(&saved->model);
	if (!error)
		error = variables_resolve(&saved->model);
	return error ? error : model_settle_names(&saved->model);
}

static int told(const struct options *options, int error)
{
	message_error("%s: %s", options->resolve, strerror(-error));
	return error;
}

static int told_wrong(const struct options *options, const char *wrong)
{
	message_error("%s: not a JSON report of this version of memtrace: %s", options->resolve,
		      wrong);
	return -EINVAL;
}

/* One document a line, as where several processes were traced. */
static bool is_one_line(const struct text *text)
{
	return text->nr < 2 || text->items[1] != '\n';
}

static bool has_more(const struct text *text, size_t at)
{
	while (at < text->nr && strchr(" \t\r\n", text->items[at]) && text->items[at])
		at++;
	return at < text->nr;
}

static int resolve_one(const struct options *options, const struct module_search *search,
		       struct saved *saved, bool several, bool one_line)
{
	const struct output output = {
		.options = options, .several = several, .one_line = one_line,
	};
	int error = finish(saved, search);

	if (error)
		return told(options, error);
	return output_model(&saved->model, &output);
}

static int resolve_text(const struct options *options, const struct module_search *search,
			const struct text *text)
{
	char wrong[SAVED_WRONG_BYTES];
	size_t at = 0, used = 0, nr = 0;
	struct saved saved;
	int error = 0;

	while (!error) {
		error = saved_read(&saved, text->items + at, text->nr - at, &used, wrong);
		if (error)
			break;
		at += used;
		nr++;
		error = resolve_one(options, search, &saved, nr > 1 || has_more(text, at),
				    is_one_line(text));
		saved_release(&saved);
		if (error)
			return error;
	}
	if (error == -ENODATA && nr)
		return 0;
	if (error == -ENODATA)
		return told_wrong(options, "it is empty");
	return error == -EINVAL ? told_wrong(options, wrong) : told(options, error);
}

int resolve_report(const struct options *options, struct symbolizer *symbolizer)
{
	const struct module_search search = {
		.symbolizer = symbolizer,
		.debug_dirs = options->debug_dirs, .nr_debug_dirs = options->nr_debug_dirs,
	};
	struct text text = { .nr = 0 };
	int error;

	limit_memory();
	error = read_file(options->resolve, &text);
	error = error ? told(options, error) : resolve_text(options, &search, &text);
	free(text.items);
	return error;
}
