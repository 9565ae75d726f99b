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

static bool is_one_of(const struct model_site *row, enum site_kind kind, bool growing)
{
	return growing ? row->growing : !row->growing && row->kind == kind;
}

struct places {
	size_t nr;
	struct model_sum sum;
};

/* Of all that grow, or of all of a kind that do not. */
static struct places count_places(const struct text *text, enum site_kind kind, bool growing)
{
	struct places places = { 0 };

	for (size_t i = 0; i < text->nr_rows; i++) {
		if (!is_one_of(text->rows[i], kind, growing))
			continue;
		places.nr++;
		places.sum.bytes += text->rows[i]->bytes;
		places.sum.blocks += text->rows[i]->blocks;
	}
	return places;
}

/* "2 places (1, 3)" */
static void put_places(const struct text *text, enum site_kind kind, bool growing)
{
	size_t nr = count_places(text, kind, growing).nr, listed = 0;
	const char *noun = text_is_sampled(text) ? "sampled place" : "place";

	fputs(units_count(nr, noun).text, text->out);
	for (size_t i = 0; i < text->nr_rows && listed < PLACES_LISTED; i++)
		if (is_one_of(text->rows[i], kind, growing))
			fprintf(text->out, "%s%zu", listed++ ? ", " : " (", i + 1);
	fputs(!listed ? "" : listed < nr ? ", ...)" : ")", text->out);
}

/* ", at 1 place"; where several are told of, which. */
static void put_at(const struct text *text, enum site_kind kind)
{
	fputs(", at ", text->out);
	if (text->nr_rows == 1)
		fputs(text_is_sampled(text) ? "1 sampled place" : "1 place", text->out);
	else
		put_places(text, kind, false);
}

static bool all_is_reachable(const struct text *text)
{
	for (size_t i = 0; i < text->nr_rows; i++)
		if (text->rows[i]->growing && text->rows[i]->kind != SITE_REACHABLE)
			return false;
	return true;
}

static void put_growing(const struct text *text)
{
	const struct model *model = text->model;
	const struct text_amount amount = {
		.bytes = model->growing_bytes, .bytes_error = model->growing_bytes_error,
	};

	put_label(text, TEXT_RED, "GROWING: ");
	put_places(text, SITE_UNFREED, true);
	fputs(" gained ", text->out);
	text_bytes(text, &amount);
	fprintf(text->out, ", %s, in all four quarters of the %s of ",
		text_rate(text, model->growing_bytes).text,
		model->facts->nr_gaps ? "time since the last gap in the trace" : "trace");
	put_target(text);
	fputs(all_is_reachable(text) ?
	      ".\n         It is still reachable: not lost, perhaps unbounded.\n" :
	      ".\n         A cache that is filling looks the same as one without a bound, or as a"
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

/* With what only they lead to. */
static struct model_sum lost(const struct text *text)
{
	const struct model *model = text->model;
	struct model_sum sum = model->seen[SITE_DEFINITE];

	for (size_t i = 0; i < model->nr_sites; i++) {
		sum.bytes += model->sites[i].indirect.bytes;
		sum.blocks += model->sites[i].indirect.blocks;
	}
	return sum;
}

static void put_when(const struct text *text)
{
	const struct run_facts *facts = text->model->facts;

	if (!facts->launched || facts->end == RUN_DETACHED)
		fprintf(text->out, " in %s", units_time(facts->duration_ns).text);
	if (facts->end == RUN_DETACHED)
		return;
	fputs(facts->launched ? " " : ", ", text->out);
	text_end(text, facts->launched ? "by" : "until", facts->launched ? "when" : "until");
}

static void put_lost_before(const struct text *text)
{
	const struct model *model = text->model;
	uint64_t bytes = model->before[SITE_DEFINITE].bytes + model->indirect_of_before.bytes;
	uint64_t blocks = model->before[SITE_DEFINITE].blocks + model->indirect_of_before.blocks;
	const struct text_amount amount = { .bytes = bytes, .blocks = blocks };

	if (!blocks)
		return;
	fputs(" Lost before: ", text->out);
	text_amount(text, &amount);
	putc('.', text->out);
}

/* Per day, once the trace is long enough for a rate. */
static void put_pace(const struct text *text, uint64_t bytes)
{
	const struct run_facts *facts = text->model->facts;
	double days = (double)facts->duration_ns / 86400e9;

	if (bytes && facts->duration_ns >= TEXT_RATE_NS && facts->end == RUN_DETACHED)
		fprintf(text->out, " At this pace: %s a day.",
			units_size((uint64_t)((double)bytes / days)).text);
}

/* All that only the first one leads to is with it. */
static void put_lost(const struct text *text)
{
	const struct model_sum sum = lost(text);
	const struct text_amount amount = { .bytes = sum.bytes, .blocks = sum.blocks };

	put_label(text, TEXT_RED, "LEAK: ");
	put_target(text);
	if (sum.blocks) {
		fputs(" lost ", text->out);
		text_amount(text, &amount);
		put_when(text);
		put_at(text, SITE_DEFINITE);
	} else {
		fputs(" has lost blocks, none of them in this trace", text->out);
	}
	fprintf(text->out, ".\n      Nothing points to %s any more.",
		sum.blocks == 1 ? "it" : "them");
	put_pace(text, sum.bytes);
	put_lost_before(text);
	putc('\n', text->out);
}

static void put_possible(const struct text *text)
{
	const struct model_sum *sum = &text->model->seen[SITE_POSSIBLE];
	const struct text_amount amount = { .bytes = sum->bytes, .blocks = sum->blocks };

	put_label(text, TEXT_YELLOW, "POSSIBLY LOST: ");
	text_amount(text, &amount);
	fputs(" of ", text->out);
	put_target(text);
	put_at(text, SITE_POSSIBLE);
	fputs(".\n         Only pointers to their inside are left, which may be chance.\n", text->out);
}

/* What is left when what grows is told of. */
static struct text_amount unfreed_amount(const struct text *text)
{
	const struct model *model = text->model;
	struct model_sum sum;

	if (model->facts->sample_bytes)
		return (struct text_amount){
			.bytes = model->totals.live_bytes - model->growing_bytes,
			.bytes_error = model->rest_bytes_error,
			.blocks = model->totals.live_blocks - model->growing_blocks,
			.samples = model->counted.live_blocks - model->growing_samples,
		};
	sum = count_places(text, SITE_UNFREED, false).sum;
	return (struct text_amount){ .bytes = sum.bytes, .blocks = sum.blocks };
}

static void put_unfreed(const struct text *text)
{
	const struct run_facts *facts = text->model->facts;
	const struct text_amount amount = unfreed_amount(text);

	put_label(text, TEXT_YELLOW, "UNFREED: ");
	put_target(text);
	if (facts->launched && facts->end != RUN_DETACHED)
		put_unfreed_by_end(text, &amount);
	else
		put_unfreed_in_time(text, &amount);
	put_at(text, SITE_UNFREED);
	fprintf(text->out, facts->scan.done ?
		".\n         That is not yet a leak: whether anything still point%s to %s is not known.\n" :
		".\n         That is not yet a leak: nothing has looked whether anything still point%s to"
		" %s.\n", facts->end == RUN_DETACHED ? "s" : "ed", amount.blocks == 1 ? "it" : "them");
}

/* Not all was freed, but what was not has its pointers. */
static void put_reachable(const struct text *text)
{
	const struct model_sum *sum = &text->model->seen[SITE_REACHABLE];
	const struct text_amount amount = { .bytes = sum->bytes, .blocks = sum->blocks };

	put_label(text, TEXT_BOLD, "NO LEAK: ");
	put_target(text);
	fputs(" lost nothing ", text->out);
	text_end(text, "by", "until");
	fputs("; ", text->out);
	text_amount(text, &amount);
	fputs(" could still be reached.\n", text->out);
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
		fprintf(text->out, " allocated was freed%s%s.\n",
			text->model->seen[SITE_REACHABLE].blocks ? " or is still reachable" : "",
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

static void put_leaks(const struct text *text)
{
	const struct model *model = text->model;

	if (model->seen[SITE_DEFINITE].blocks || model->before[SITE_DEFINITE].blocks)
		put_lost(text);
	if (model->seen[SITE_POSSIBLE].blocks)
		put_possible(text);
	if (model->nr_growing)
		put_growing(text);
	if (count_places(text, SITE_UNFREED, false).nr)
		put_unfreed(text);
}

void text_verdict(const struct text *text)
{
	const struct model *model = text->model;

	if (model->verdict == VERDICT_INCOMPLETE)
		put_incomplete(text);
	if (model->nr_wrongs)
		put_wrong(text);
	put_leaks(text);
	if (model->verdict == VERDICT_NO_LEAK && model->seen[SITE_REACHABLE].blocks)
		put_reachable(text);
	else if (model->verdict == VERDICT_NO_LEAK)
		put_no_leak(text);
	if (model->verdict == VERDICT_NO_LEAK_SEEN)
		put_seen(text);
}
