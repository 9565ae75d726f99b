/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Below the sites: what is not shown, why a name may be missing, and what to do next. */
#include <inttypes.h>

#include "places.h"
#include "text.h"
#include "units.h"

#define LONGEST_ADVISED_S 3600

static void put_more(const struct text *text)
{
	size_t more = text->nr_rows - text_shown(text);
	size_t hidden = text->model->nr_sites - text->nr_rows;

	if (hidden && !text->style->summary)
		fprintf(text->out, "\n(%s of other kinds: --show-leak-kinds=all)\n",
			units_count(hidden, "place").text);
	if (more && !text->style->summary)
		fprintf(text->out, "\n(%s more place%s: -n 0 shows all)\n", units_number(more).text,
			more == 1 ? "" : "s");
}

static void put_bare_module(const struct text *text, const struct bare_module *bare)
{
	const struct run_module *module = &text->model->facts->modules[bare->module];
	char name[TEXT_NAME_BYTES], build_id[2 * BUILD_ID_MAX + 1];

	fprintf(text->out, "%s has no debug info",
		inert(name, sizeof(name), place_base(module->path)));
	if (*place_build_id(build_id, sizeof(build_id), module))
		fprintf(text->out, " (build-id %s)", build_id);
	fprintf(text->out, ": %s of %s show%s no line; see --debug-dir\n",
		units_number(bare->nr_sites).text, units_count(text->model->nr_named, "place").text,
		bare->nr_sites == 1 ? "s" : "");
}

static void put_nameless(const struct text *text)
{
	const struct model *model = text->model;

	if (model->nr_bare_modules || (model->nameless && model->nr_sites))
		putc('\n', text->out);
	for (size_t i = 0; i < model->nr_bare_modules; i++)
		put_bare_module(text, &model->bare_modules[i]);
	if (model->nr_bare_modules)
		fputs("Debug packages, --debug-dir or DEBUGINFOD_URLS give lines; of a JSON report "
		      "also later: --resolve\n", text->out);
	if (model->nameless && model->nr_sites)
		fputs(model->symbolizer ? "Names are missing: looking them up failed.\n" :
		      "Names were not looked up.\n", text->out);
}

/* Ten times as long, in whole seconds. */
static void put_longer(const struct text *text)
{
	uint64_t seconds = (text->model->facts->duration_ns + 50000000) / 100000000;

	if (text->model->facts->end != RUN_DETACHED ||
	    text->model->facts->ended_unwatched || !seconds || seconds > LONGEST_ADVISED_S)
		return;
	fprintf(text->out, "      A longer trace tells %s: -d %" PRIu64 "\n",
		text->model->nr_growing ? "a cache that is filling from one without a bound" :
		"what is in use for a while from what stays", seconds);
}

/* Starts in the middle of a line. */
static void put_next_wrong(const struct text *text)
{
	fputs(text->model->nr_double_frees ?
	      "DOUBLE FREE: one of the two frees is one too many.\n" :
	      "INVALID FREE: only what an allocation returned may be freed.\n", text->out);
	if (!text->model->facts->free_stacks)
		fputs("      Of frees the caller alone is kept: --keep-stacktraces=alloc-and-free"
		      " keeps their stacks.\n", text->out);
}

static void put_next(const struct text *text)
{
	const char *start = "\nNEXT  ";

	if (text->model->nr_wrongs) {
		fputs(start, text->out);
		put_next_wrong(text);
		start = "      ";
	}
	if (text->model->facts->scan.is_all)
		fprintf(text->out, "%sA trace tells where such blocks are allocated:"
			" memtrace -p %d -d 60\n", start, (int)text->model->facts->pid);
	if (!text->nr_rows)
		return;
	fprintf(text->out, "%sThe line is where a block was allocated; look after it for the"
		" missing free.\n", start);
	if (text->model->nr_growing)
		fputs("      GROWING: is there a bound to what keeps these blocks?\n", text->out);
	put_longer(text);
}

void text_notes(const struct text *text)
{
	put_more(text);
	text_wrongs(text);
	put_nameless(text);
	text_errors(text);
	put_next(text);
}
