/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What was traced and what it cost, then the totals in valgrind's words, which people and
 * their scripts know: it says "1 blocks" too.
 */
#include <string.h>

#include "runtimes.h"
#include "text.h"
#include "units.h"

#define INDENT "         "

/* Growth of the resident set worth a word, unless the traced blocks explain a quarter of it. */
#define RSS_GREW_BYTES (64ull << 20)

static void put_traced(const struct text *text)
{
	const struct model *model = text->model;
	const struct run_facts *facts = model->facts;
	char started[32] = "?";
	struct tm utc;

	if (gmtime_r(&facts->started.tv_sec, &utc))
		strftime(started, sizeof(started), "%Y-%m-%d %H:%M:%S UTC", &utc);
	fprintf(text->out, "\nTraced   %s from %s", units_time(facts->duration_ns).text, started);
	if (facts->end != RUN_DETACHED) {
		putc(' ', text->out);
		text_end(text, "until", "until");
	}
	fprintf(text->out, "; %s: %s dropped, %s\n",
		units_count(model->totals.events, "event").text,
		units_number(facts->dropped + model->totals.lost_events).text,
		units_count(model->totals.replaced_blocks, "missed free").text);
}

/* Those of one reason. */
struct gaps {
	uint64_t nr, ns;
	const struct run_gap *last;
};

static void add_gap(struct gaps *gaps, const struct run_gap *gap, enum run_gap_reason reason)
{
	if (gap->reason != reason)
		return;
	gaps->nr++;
	gaps->ns += gap->to_ns - gap->from_ns;
	gaps->last = gap;
}

/* Without the one in which the run ended. */
static struct gaps find_gaps(const struct run_facts *facts, enum run_gap_reason reason)
{
	struct gaps gaps = { 0 };

	for (size_t i = 0; i < facts->nr_gaps; i++)
		add_gap(&gaps, &facts->gaps[i], reason);
	return gaps;
}

static void put_unwatched(const struct text *text)
{
	const struct model *model = text->model;
	const struct text_amount amount = {
		.bytes = model->totals.unwatched_bytes,
		.bytes_error = model->unwatched_bytes_error,
		.blocks = model->totals.unwatched_blocks,
		.samples = model->counted.unwatched_blocks,
	};

	if (!amount.blocks)
		return;
	fputs(INDENT, text->out);
	text_amount(text, &amount);
	fputs(", live then, may have been freed: in no figure here\n", text->out);
}

static void put_when(const struct text *text, const struct gaps *gaps)
{
	if (gaps->nr == 1)
		fprintf(text->out, INDENT "not watched from %s to %s",
			units_time(gaps->last->from_ns).text, units_time(gaps->last->to_ns).text);
	else
		fprintf(text->out, INDENT "not watched in %s, %s in all",
			units_count(gaps->nr, "gap").text, units_time(gaps->ns).text);
}

/* What memleak = 0 has hidden. */
static void put_switched(const struct text *text)
{
	const struct gaps gaps = find_gaps(text->model->facts, GAP_SWITCH);

	if (!gaps.nr)
		return;
	put_when(text, &gaps);
	fputs(" (memleak = 0)\n", text->out);
}

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100 * (double)part / (double)whole : 0;
}

/* What the brake has: how much of the whole that is, the user has asked for, and wants to know. */
static void put_paused(const struct text *text)
{
	const struct run_facts *facts = text->model->facts;
	struct gaps gaps = find_gaps(facts, GAP_OVERHEAD);
	uint64_t whole_ns = facts->duration_ns;

	if (facts->ended_unwatched) {
		add_gap(&gaps, &facts->last_gap, GAP_OVERHEAD);
		whole_ns = facts->last_gap.to_ns;
	}
	if (!gaps.nr)
		return;
	put_when(text, &gaps);
	fprintf(text->out, ", %.0f %% of the time (--overhead %g)\n", percent(gaps.ns, whole_ns),
		percent(facts->overhead.limit_ppm, 1000000));
}

/* It tells of the blocks that were live at its beginning. */
static void put_last_gap(const struct text *text)
{
	const struct run_facts *facts = text->model->facts;

	if (!facts->ended_unwatched)
		return;
	fputs(facts->last_gap.reason == GAP_SWITCH
	      ? INDENT "then switched off (memleak = 0): what was freed after that is not known\n"
	      : INDENT "the trace ended in such a gap: what was freed in that is not known\n",
	      text->out);
}

static void put_gaps(const struct text *text)
{
	put_switched(text);
	put_paused(text);
	put_unwatched(text);
	put_last_gap(text);
}

static void put_sampled(const struct text *text)
{
	const struct model *model = text->model;

	if (!text_is_sampled(text))
		return;
	fprintf(text->out, "Sampled  %s, one in %s on average; figures are estimates, +- one standard"
		" error\n", units_count(model->counted.allocs, "allocation").text,
		units_size(model->facts->sample_bytes).text);
	if (model->facts->unsampled)
		fprintf(text->out, INDENT "not %s, which may throw: what C++ new allocates there is"
			" missing\n", units_count(model->facts->unsampled, "function").text);
}

/* What most runs have none of. */
static void put_oddities(const struct text *text)
{
	const struct heap_totals *totals = &text->model->totals;

	if (text->model->facts->execs)
		fprintf(text->out, INDENT "%s: this is the last program's report\n",
			units_count(text->model->facts->execs, "exec").text);
	if (totals->failed_allocs)
		fprintf(text->out, INDENT "%s found no memory\n",
			units_count(totals->failed_allocs, "allocation").text);
	if (totals->truncated_stacks)
		fprintf(text->out, INDENT "%s with more frames than are kept: see -k\n",
			units_count(totals->truncated_stacks, "allocation").text);
}

/* Where there is nothing but the pauses that are told of, it would only confuse. */
static void put_share(const struct text *text)
{
	const struct run_facts *facts = text->model->facts;
	double share = percent(facts->overhead.share_ppm, 1000000);

	if (facts->stops || facts->overhead.limit_ppm)
		fprintf(text->out, share < 10 ? "stopped %.1f %% of its time; "
					      : "stopped %.0f %% of its time; ", share);
}

static void put_cost(const struct text *text)
{
	const struct run_facts *facts = text->model->facts;

	fputs("Cost     ", text->out);
	if (facts->attach_pause_ns)
		fprintf(text->out, "paused %s (attach)%s", units_time(facts->attach_pause_ns).text,
			facts->detach_pause_ns ? ", " : "; ");
	if (facts->detach_pause_ns)
		fprintf(text->out, "%s%s (detach); ", facts->attach_pause_ns ? "" : "paused ",
			units_time(facts->detach_pause_ns).text);
	fprintf(text->out, "%s, handled in %s; ",
		units_count(facts->stops, "stop").text, units_time(facts->handled_ns).text);
	put_share(text);
	fprintf(text->out, "engine %s\n", facts->engine);
}

static void put_process(const struct text *text)
{
	const struct run_facts *facts = text->model->facts;
	uint64_t start = facts->rss_start_bytes, end = facts->rss_end_bytes;
	bool grew = end >= start || start - end < (1 << 20) / 20; /* no "-0.0" */
	uint64_t change = end > start ? end - start : start - end;

	if (!start || !end)
		return;
	fprintf(text->out, "Process  RSS %s -> %s MiB (%s%s MiB); traced blocks in use %s%s MiB\n",
		units_mib(start).text, units_mib(end).text, grew ? "+" : "-",
		units_mib(change).text, text_about(text),
		units_mib(text->model->totals.live_bytes).text);
	if (grew && change >= RSS_GREW_BYTES && text->model->totals.live_bytes < change / 4)
		fputs(INDENT "most growth is not in these blocks: mmap, stacks, a garbage"
		      " collector's heap, fragmentation\n", text->out);
}

/* What they hide is in no figure. */
static void put_runtimes(const struct text *text)
{
	const struct runtime *runtime;

	for (size_t i = 0; (runtime = runtime_at(i)); i++)
		if (text->model->facts->runtimes & runtime->bit)
			fprintf(text->out, INDENT "%s\n", runtime->words);
}

static const char *end_word(const struct run_facts *facts)
{
	static const char *const words[] = {
		[RUN_DETACHED] = "detach",
		[RUN_EXITED] = "exit",
		[RUN_KILLED] = "its death",
		[RUN_LOST] = "its end",
	};

	if (facts->ended_unwatched)
		return facts->last_gap.reason == GAP_SWITCH ? "the switch-off" : "the last pause";
	return words[facts->end];
}

static void put_estimates(const struct text *text, const char *since)
{
	const struct model *model = text->model;
	const struct text_amount live = {
		.bytes = model->totals.live_bytes, .bytes_error = model->errors.bytes,
		.blocks = model->totals.live_blocks, .samples = model->counted.live_blocks,
	}, all = {
		.bytes = model->totals.bytes_allocated,
		.bytes_error = model->errors.bytes_allocated,
	};

	fprintf(text->out, "\nHEAP SUMMARY:\n    in use at %s: ", end_word(model->facts));
	text_amount(text, &live);
	fprintf(text->out, "%s%s\n  total heap usage: about %s allocs, about %s frees, ",
		*since ? " allocated" : "", since, units_about(model->totals.allocs).text,
		units_about(model->totals.frees).text);
	text_bytes(text, &all);
	fprintf(text->out, " allocated%s\n", since);
}

/* Those that are told of as wrong have been seen allocated, or are no blocks; and what the allocator
 * frees of its own was freed before. */
static uint64_t unknown_frees(const struct model *model)
{
	uint64_t known = model->nr_double_frees + model->nr_invalid_frees + model->own_frees;

	return model->totals.unknown_frees > known ? model->totals.unknown_frees - known : 0;
}

static void put_summary(const struct text *text)
{
	const struct heap_totals *totals = &text->model->totals;
	const struct run_facts *facts = text->model->facts;
	const char *since = facts->launched ? "" : " since the attach";
	uint64_t unknown = unknown_frees(text->model);

	if (text_is_sampled(text)) {
		put_estimates(text, since);
		return;
	}
	fprintf(text->out, "\nHEAP SUMMARY:\n    in use at %s: %s bytes in %s blocks%s%s\n",
		end_word(facts), units_number(totals->live_bytes).text,
		units_number(totals->live_blocks).text, facts->launched ? "" : " allocated", since);
	fprintf(text->out, "  total heap usage: %s allocs, %s frees, %s bytes allocated%s\n",
		units_number(totals->allocs).text, units_number(totals->frees).text,
		units_number(totals->bytes_allocated).text, since);
	if (unknown)
		fprintf(text->out, "        also freed: %s %s\n",
			units_count(unknown, "block").text,
			facts->nr_gaps ? "not seen allocated" :
			facts->launched ? "never seen allocated" : "from before the attach");
}

void text_run(const struct text *text)
{
	put_traced(text);
	put_gaps(text);
	put_sampled(text);
	put_oddities(text);
	put_cost(text);
	put_process(text);
	put_runtimes(text);
	put_summary(text);
}
