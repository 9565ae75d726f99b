/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What --resolve does with a file, whatever is in it: read, look up, print.  The symbolizer here
 * answers with whatever the address says, so that stacks are taken apart and put together.
 */
#ifndef MEMTRACE_TESTS_REPORT_CHECK_H
#define MEMTRACE_TESTS_REPORT_CHECK_H

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../tracer/report/names.h"
#include "../../tracer/report/saved.h"
#include "../../tracer/report/variables.h"

static const struct symbol_frame answers[] = {
	{ "inner", "/src/a.c", 1, true, 0 }, { "outer", "/src/a.c", 2, false, 0 },
	{ "operator new(unsigned long)", NULL, 0, false, 0 }, { "e\033vil\n", "/src/\x9b", 0, true, 0 },
};

int symbolizer_frames(struct symbolizer *symbolizer, uint32_t module, const uint64_t *vaddrs,
		      size_t nr, struct symbol_frames *out_frames, struct symbol_table **out)
{
	if (module % 5 == 4)
		return -EPIPE;
	for (size_t i = 0; i < nr; i++) {
		size_t first = vaddrs[i] % 5;

		out_frames[i] = (struct symbol_frames){ answers + (first < 4 ? first : 0),
							first < 4 ? (4 - first) % 3 : 0 };
	}
	*out = NULL;
	return 0;
}

int symbolizer_variables(struct symbolizer *symbolizer, uint32_t module, const uint64_t *vaddrs,
			 size_t nr, struct symbol_frames *out_variables, struct symbol_table **out)
{
	static const struct symbol_frame found = {
		"v\033ar\n", "/src/\x9b", 3, false, UINT32_MAX,
	};

	if (module % 5 == 4)
		return -EPIPE;
	for (size_t i = 0; i < nr; i++)
		out_variables[i] = (struct symbol_frames){ &found, vaddrs[i] % 2 };
	*out = NULL;
	return 0;
}

void symbol_table_release(struct symbol_table *table)
{
}

bool symbolizer_lacks_debug_info(const struct symbolizer *symbolizer, uint32_t module)
{
	return module % 2;
}

int symbolizer_source_line(struct symbolizer *symbolizer, const char *path, uint32_t line,
			   char *buffer, size_t bytes)
{
	snprintf(buffer, bytes, "\033[2J line");
	return line % 2 ? 0 : -ENOENT;
}

/* No control character but the ends of lines. */
static bool is_inert(const char *text)
{
	for (; *text; text++)
		if (((unsigned char)*text < 0x20 && *text != '\n') || *text == 0x7f)
			return false;
	return true;
}

/* False: something was printed that is not inert. */
static bool print_all(const struct model *model, size_t top)
{
	bool good = true;

	for (size_t i = 0; report_format_at(i); i++) {
		const struct report_style style = { .one_line = i % 2, .top = top };
		size_t bytes;
		char *text = NULL;
		FILE *out = open_memstream(&text, &bytes);

		if (!out || report_format_at(i)->print(model, &style, out) || fclose(out))
			abort();
		good &= is_inert(text);
		free(text);
	}
	return good;
}

static bool finish_and_print(struct saved *saved)
{
	static int symbolizer;

	saved->model.symbolizer = (struct symbolizer *)&symbolizer;
	for (size_t i = 0; i < saved->facts.nr_modules; i++) {
		saved->modules[i].known = i % 3;
		saved->modules[i].symbolizer_id = (uint32_t)i;
		(void)names_are_missing(&saved->model, (uint32_t)i + 1);
	}
	return !names_complete(&saved->model) && !model_settle_names(&saved->model) &&
	       print_all(&saved->model, 0) && print_all(&saved->model, 1);
}

/* How many reports were in it; -1: what came out was wrong. */
static int check_report(const char *text, size_t bytes)
{
	char wrong[SAVED_WRONG_BYTES];
	struct saved saved;
	size_t used;
	int nr = 0, error;

	while (!(error = saved_read(&saved, text, bytes, &used, wrong))) {
		bool good = used && used <= bytes && finish_and_print(&saved);

		saved_release(&saved);
		if (!good)
			return -1;
		text += used;
		bytes -= used;
		nr++;
	}
	if (error == -EINVAL && (!*wrong || strlen(wrong) >= sizeof(wrong) || !is_inert(wrong) ||
				 strchr(wrong, '\n')))
		return -1;
	return error == -EINVAL || error == -ENODATA ? nr : -1;
}

#endif
