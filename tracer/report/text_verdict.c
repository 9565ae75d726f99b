/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The verdict in words.  Sites that grow and those that are merely unfreed are told apart;
 * the lines below a verdict say what it does not mean.
 */
#include "text.h"
#include "units.h"

/* Numbers of places that a sentence can bear. */
#define PLACES_LISTED 8

static void put_target(const struct text *text)
{
	char name[TEXT_NAME_BYTES];

	fprintf(text->out, "%s (pid %d)",
		inert(name, sizeof(name), text->model->facts->name),
		(int)text->model->facts->pid);
}

static void put_label(const struct text *text, enum text_color color, const char *label)
{
	text_color(text, color);
	fputs(label, text->out);
	text_color(text, TEXT_PLAIN);
}

/* "2 places (1, 3)": all that grow, or all that do not. */
static void put_places(const struct text *text, bool growing)
{
	const struct model *model = text->model;
	size_t nr = growing ? model->nr_growing : model->nr_sites - model->nr_growing, listed = 0;

	fputs(units_count(nr, "place").text, text->out);
	for (size_t i = 0; i < model->nr_sites && listed < PLACES_LISTED; i++)
		if (model->sites[i].growing == growing)
			fprintf(text->out, "%s%zu", listed++ ? ", " : " (", i + 1);
	fputs(listed < nr ? ", ...)" : ")", text->out);
}

static void put_amount(const struct text *text, uint64_t bytes, uint64_t blocks)
{
	fprintf(text->out, "%s in %s", units_count(bytes, "byte").text,
		units_count(blocks, "block").text);
}

static void put_growing(const struct text *text)
{
	const struct model *model = text->model;

	put_label(text, TEXT_RED, "GROWING: ");
	put_places(text, true);
	fprintf(text->out, " gained %s, %s, in all four quarters of the trace of ",
		units_count(model->growing_bytes, "byte").text,
		units_rate(model->growing_bytes, model->facts->duration_ns).text);
	put_target(text);
	fputs(".\n         A cache that is filling looks the same as one without a bound, or as a"
	      " leak.\n", text->out);
}

static void put_unfreed_by_end(const struct text *text, uint64_t bytes, uint64_t blocks)
{
	fputs(" left ", text->out);
	put_amount(text, bytes, blocks);
	fputs(" unfreed ", text->out);
	text_end(text, "by", "when");
}

static void put_unfreed_in_time(const struct text *text, uint64_t bytes, uint64_t blocks)
{
	const struct run_facts *facts = text->model->facts;

	fputs(" allocated and did not free ", text->out);
	put_amount(text, bytes, blocks);
	fprintf(text->out, " in %s", units_time(facts->duration_ns).text);
	if (facts->end != RUN_DETACHED) {
		fputs(", ", text->out);
		text_end(text, "until", "until");
	}
}

static void put_unfreed(const struct text *text)
{
	const struct model *model = text->model;
	const struct run_facts *facts = model->facts;
	uint64_t bytes = model->totals->live_bytes - model->growing_bytes;
	uint64_t blocks = model->totals->live_blocks - model->growing_blocks;

	put_label(text, TEXT_YELLOW, "UNFREED: ");
	put_target(text);
	if (facts->launched && facts->end != RUN_DETACHED)
		put_unfreed_by_end(text, bytes, blocks);
	else
		put_unfreed_in_time(text, bytes, blocks);
	fputs(", at ", text->out);
	if (model->nr_sites == 1)
		fputs("1 place", text->out);
	else
		put_places(text, false);
	fprintf(text->out, ".\n         That is not yet a leak: nothing has looked whether anything"
		" still point%s to %s.\n", facts->end == RUN_DETACHED ? "s" : "ed",
		blocks == 1 ? "it" : "them");
}

static void put_no_leak(const struct text *text)
{
	put_label(text, TEXT_BOLD, "NO LEAK: ");
	put_target(text);
	fputs(text->model->totals->allocs ? " freed all its blocks " : " allocated nothing ",
	      text->out);
	text_end(text, "before", "before");
	fputs(".\n", text->out);
}

static void put_no_leak_seen(const struct text *text)
{
	bool any = text->model->totals->allocs;

	put_label(text, TEXT_BOLD, "NO LEAK SEEN");
	fprintf(text->out, " in %s: %s", units_time(text->model->facts->duration_ns).text,
		any ? "all that " : "");
	put_target(text);
	fputs(any ? " allocated was freed.\n" : " allocated nothing.\n", text->out);
}

static void put_incomplete(const struct text *text)
{
	const struct model *model = text->model;
	char reason[TEXT_NAME_BYTES];

	put_label(text, TEXT_YELLOW, "INCOMPLETE: ");
	put_target(text);
	if (model->facts->incomplete)
		fprintf(text->out, ": %s",
			inert(reason, sizeof(reason), model->facts->incomplete));
	else
		fprintf(text->out, ": no memory to keep %s",
			units_count(model->totals->lost_events, "event").text);
	fputs(";\n            nothing may be concluded from what follows.\n", text->out);
}

void text_verdict(const struct text *text)
{
	const struct model *model = text->model;

	if (model->verdict == VERDICT_INCOMPLETE)
		put_incomplete(text);
	if (model->nr_growing)
		put_growing(text);
	if (model->nr_sites > model->nr_growing)
		put_unfreed(text);
	if (model->verdict == VERDICT_NO_LEAK)
		put_no_leak(text);
	if (model->verdict == VERDICT_NO_LEAK_SEEN)
		put_no_leak_seen(text);
}
