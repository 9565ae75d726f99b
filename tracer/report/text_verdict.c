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
	const char *noun = text_is_sampled(text) ? "sampled place" : "place";

	fputs(units_count(nr, noun).text, text->out);
	for (size_t i = 0; i < model->nr_sites && listed < PLACES_LISTED; i++)
		if (model->sites[i].growing == growing)
			fprintf(text->out, "%s%zu", listed++ ? ", " : " (", i + 1);
	fputs(listed < nr ? ", ...)" : ")", text->out);
}

static void put_growing(const struct text *text)
{
	const struct model *model = text->model;
	const struct text_amount amount = {
		.bytes = model->growing_bytes, .bytes_error = model->growing_bytes_error,
	};

	put_label(text, TEXT_RED, "GROWING: ");
	put_places(text, true);
	fputs(" gained ", text->out);
	text_bytes(text, &amount);
	fprintf(text->out, ", %s, in all four quarters of the %s of ",
		text_rate(text, model->growing_bytes).text,
		model->facts->nr_gaps ? "time since the last gap in the trace" : "trace");
	put_target(text);
	fputs(".\n         A cache that is filling looks the same as one without a bound, or as a"
	      " leak.\n", text->out);
}

static void put_unfreed_by_end(const struct text *text, const struct text_amount *amount)
{
	fputs(" left ", text->out);
	text_amount(text, amount);
	fputs(" unfreed ", text->out);
	text_end(text, "by", "when");
}

static void put_unfreed_in_time(const struct text *text, const struct text_amount *amount)
{
	const struct run_facts *facts = text->model->facts;

	fputs(" allocated and did not free ", text->out);
	text_amount(text, amount);
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
	const struct text_amount amount = {
		.bytes = model->totals.live_bytes - model->growing_bytes,
		.bytes_error = model->rest_bytes_error,
		.blocks = model->totals.live_blocks - model->growing_blocks,
		.samples = model->counted.live_blocks - model->growing_samples,
	};

	put_label(text, TEXT_YELLOW, "UNFREED: ");
	put_target(text);
	if (facts->launched && facts->end != RUN_DETACHED)
		put_unfreed_by_end(text, &amount);
	else
		put_unfreed_in_time(text, &amount);
	fputs(", at ", text->out);
	if (model->nr_sites == 1)
		fputs(text_is_sampled(text) ? "1 sampled place" : "1 place", text->out);
	else
		put_places(text, false);
	fprintf(text->out, ".\n         That is not yet a leak: nothing has looked whether anything"
		" still point%s to %s.\n", facts->end == RUN_DETACHED ? "s" : "ed",
		amount.blocks == 1 ? "it" : "them");
}

static void put_no_leak(const struct text *text)
{
	put_label(text, TEXT_BOLD, "NO LEAK: ");
	put_target(text);
	fputs(text->model->totals.allocs ? " freed all its blocks " : " allocated nothing ",
	      text->out);
	text_end(text, "before", "before");
	fputs(".\n", text->out);
}

/* Of what was not sampled nothing is known. */
static void put_no_leak_sampled(const struct text *text)
{
	uint64_t samples = text->model->counted.allocs;
	bool any_before = text->model->totals.unwatched_blocks;

	put_label(text, TEXT_BOLD, "NO LEAK SEEN");
	fprintf(text->out, " in %s: ", units_time(text->model->facts->duration_ns).text);
	if (samples)
		fprintf(text->out, "%s of ", units_count(samples, "sampled block").text);
	else
		fputs(any_before ? "all that was sampled of " : "no allocation of ", text->out);
	put_target(text);
	if (samples)
		fprintf(text->out, " %s freed.\n              Places that allocate little may have no"
			" sample.\n", samples == 1 ? "was" : "were all");
	else if (any_before)
		fputs(" was live in a gap.\n", text->out);
	else
		fprintf(text->out, " was sampled: nothing can be said of it.\n              One sample is"
			" drawn in %s on average: a smaller --sample, or none, sees more.\n",
			units_size(text->model->facts->sample_bytes).text);
}

/* What was live in a gap may have been freed in it. */
static void put_no_leak_seen(const struct text *text)
{
	bool any = text->model->totals.allocs, any_before = text->model->totals.unwatched_blocks;

	put_label(text, TEXT_BOLD, "NO LEAK SEEN");
	fprintf(text->out, " in %s: %s", units_time(text->model->facts->duration_ns).text,
		any || any_before ? "all that " : "");
	put_target(text);
	if (any)
		fprintf(text->out, " allocated was freed%s.\n",
			any_before ? ", but for what was live in a gap" : "");
	else
		fputs(any_before ? " allocated was live in a gap.\n" : " allocated nothing.\n",
		      text->out);
}

static void put_seen(const struct text *text)
{
	if (text_is_sampled(text))
		put_no_leak_sampled(text);
	else
		put_no_leak_seen(text);
	if (text->model->facts->nr_gaps)
		fputs("              Part of that time was not watched; nothing is known of it.\n",
		      text->out);
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
			units_count(model->totals.lost_events, "event").text);
	fputs(";\n            nothing may be concluded from what follows.\n", text->out);
}

/* Worse than any leak. */
static void put_wrong(const struct text *text)
{
	const struct model *model = text->model;

	put_label(text, TEXT_RED, model->nr_double_frees ? "DOUBLE FREE: " : "INVALID FREE: ");
	put_target(text);
	fputs(" freed what was not allocated: ", text->out);
	if (model->nr_double_frees)
		fputs(units_count(model->nr_double_frees, "double free").text, text->out);
	if (model->nr_double_frees && model->nr_invalid_frees)
		fputs(" and ", text->out);
	if (model->nr_invalid_frees)
		fputs(units_count(model->nr_invalid_frees, "invalid free").text, text->out);
	fprintf(text->out, ", at %s; see below.\n", units_count(model->nr_wrongs, "place").text);
}

void text_verdict(const struct text *text)
{
	const struct model *model = text->model;

	if (model->verdict == VERDICT_INCOMPLETE)
		put_incomplete(text);
	if (model->nr_wrongs)
		put_wrong(text);
	if (model->nr_growing)
		put_growing(text);
	if (model->nr_sites > model->nr_growing)
		put_unfreed(text);
	if (model->verdict == VERDICT_NO_LEAK)
		put_no_leak(text);
	if (model->verdict == VERDICT_NO_LEAK_SEEN)
		put_seen(text);
}
