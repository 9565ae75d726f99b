/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sums by kinds, in valgrind's words, which say "1 blocks" too; and what they rest on. */
#include "text.h"
#include "units.h"

#define INDENT "         "

static void put_sum(const struct text *text, const struct model_sum *sum)
{
	fprintf(text->out, " %15s bytes in %11s blocks", units_number(sum->bytes).text,
		units_number(sum->blocks).text);
}

static bool has_before(const struct model *model)
{
	for (unsigned kind = 0; kind < SITE_KINDS; kind++)
		if (model->before[kind].blocks)
			return true;
	return false;
}

static void put_row(const struct text *text, const char *words, enum site_kind kind, bool before)
{
	fprintf(text->out, "  %17s:", words);
	if (!text->model->facts->scan.is_all)
		put_sum(text, &text->model->seen[kind]);
	if (before)
		put_sum(text, &text->model->before[kind]);
	putc('\n', text->out);
}

static void put_head(const struct text *text, bool before)
{
	const char *since = text->model->facts->launched ? "seen allocated"
							 : "allocated since the attach";

	fputs("\nLEAK SUMMARY:", text->out);
	if (text->model->facts->scan.is_all)
		fputs("  usable sizes", text->out);
	else if (before)
		fprintf(text->out, "%33s%s%39s", since, "",
			text->model->facts->launched ? "not seen (usable sizes)"
						     : "from before it (usable sizes)");
	putc('\n', text->out);
}

static void put_doubts(const struct text *text)
{
	const struct run_scan *scan = &text->model->facts->scan;
	char why[TEXT_NAME_BYTES];

	if (scan->walk_stopped)
		fprintf(text->out, INDENT "blocks from before the attach are not known: heap walk"
			" incomplete (%s)\n", inert(why, sizeof(why), scan->walk_stopped));
	else if (!scan->walked && !text->model->facts->launched)
		fputs(INDENT "blocks from before the attach are not known: only glibc's heap can be"
		      " walked\n", text->out);
}

static void put_why_not(const struct text *text)
{
	const struct run_scan *scan = &text->model->facts->scan;
	char why[TEXT_NAME_BYTES];

	if (text->model->nr_sites && scan->is_wanted)
		fprintf(text->out, "\nNobody has looked for pointers to them: %s.\n",
			inert(why, sizeof(why), scan->why_not));
}

void text_leaks(const struct text *text)
{
	const struct model *model = text->model;
	bool before = model->facts->scan.is_all || has_before(model);

	if (!model->facts->scan.done) {
		put_why_not(text);
		return;
	}
	put_head(text, before);
	put_row(text, "definitely lost", SITE_DEFINITE, before);
	put_row(text, "indirectly lost", SITE_INDIRECT, before);
	put_row(text, "possibly lost", SITE_POSSIBLE, before);
	put_row(text, "still reachable", SITE_REACHABLE, before);
	if (model->seen[SITE_UNFREED].blocks)
		put_row(text, "not judged", SITE_UNFREED, before);
	put_doubts(text);
}
