/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One site: how much, since when, and its call. */
#include <inttypes.h>
#include <string.h>

#include "text.h"
#include "units.h"

static const char *kind_words(const struct model_site *site)
{
	static const char *const words[] = {
		[SITE_DEFINITE] = "LOST", [SITE_INDIRECT] = "INDIRECTLY LOST",
		[SITE_POSSIBLE] = "POSSIBLY LOST", [SITE_REACHABLE] = "STILL REACHABLE",
		[SITE_UNFREED] = "UNFREED",
	};

	if (site->growing)
		return site->kind == SITE_REACHABLE ? "GROWING, still reachable:" : "GROWING";
	return words[site->kind];
}

/* As valgrind has it: the sum first. */
static void put_with_indirect(const struct text *text, const struct model_site *site)
{
	fprintf(text->out, "%s (%s direct, %s indirect) bytes in %s",
		units_number(site->bytes + site->indirect.bytes).text,
		units_number(site->bytes).text, units_number(site->indirect.bytes).text,
		units_count(site->blocks + site->indirect.blocks, "block").text);
}

static bool rates_make_sense(const struct text *text)
{
	return text->model->facts->duration_ns >= TEXT_RATE_NS;
}

static void put_head(const struct text *text, const struct model_site *site, size_t number)
{
	const struct text_amount amount = {
		.bytes = site->bytes, .bytes_error = site->errors.bytes,
		.blocks = site->blocks, .samples = site->counted.live_blocks,
	};

	text_color(text, TEXT_BOLD);
	fprintf(text->out, "\n%zu. %s ", number, kind_words(site));
	if (site->indirect.blocks)
		put_with_indirect(text, site);
	else
		text_amount(text, &amount);
	if (site->growing || (site->kind == SITE_DEFINITE && rates_make_sense(text)))
		fprintf(text->out, ", %s",
			text_rate(text, site->bytes + site->indirect.bytes).text);
	text_color(text, TEXT_PLAIN);
	putc('\n', text->out);
}

static void put_freed(const struct text *text, const struct model_site *site)
{
	fprintf(text->out, "   allocated here: %s%s, freed: %s%s", text_about(text),
		text_number(text, site->allocs).text, site->frees ? text_about(text) : "",
		text_number(text, site->frees).text);
	if (site->counted.frees)
		fprintf(text->out, " after %s", units_time(site->lifetime_avg_ns).text);
	if (site->counted.frees > 1)
		fprintf(text->out, " (%s to %s)", units_time(site->lifetime_min_ns).text,
			units_time(site->lifetime_max_ns).text);
}

static uint64_t age(const struct text *text, uint64_t born_ns)
{
	uint64_t now_ns = text->model->facts->duration_ns;

	return now_ns > born_ns ? now_ns - born_ns : 0;
}

static void put_ages(const struct text *text, const struct model_site *site)
{
	if (text->model->facts->duration_ns < TEXT_RATE_NS)
		return;
	if (site->counted.live_blocks == 1)
		fprintf(text->out, "; age %s", units_time(age(text, site->oldest_ns)).text);
	else
		fprintf(text->out, "; ages %s to %s", units_time(age(text, site->newest_ns)).text,
			units_time(age(text, site->oldest_ns)).text);
	if (text->model->facts->end == RUN_DETACHED)
		fprintf(text->out, "%s 0x%" PRIx64,
			site->counted.live_blocks == 1 ? " at" : "; oldest",
			site->oldest_address);
}

static void put_sizes(const struct text *text, const uint64_t bytes[4])
{
	for (size_t i = 0; i < 4; i++)
		if (text_is_sampled(text))
			fprintf(text->out, "%s %s", i ? "," : " about", units_size(bytes[i]).text);
		else
			fprintf(text->out, " %s", units_number(bytes[i]).text);
	fputs(text_is_sampled(text) ? "\n" : " bytes\n", text->out);
}

static void put_quarters(const struct text *text, const struct model_site *site)
{
	const struct site_quarters *quarters = &site->quarters;

	if (!site->growing || !quarters->end_ns[3])
		return;
	fputs("   live after ", text->out);
	for (size_t i = 0; i < 4; i++)
		fprintf(text->out, quarters->end_ns[i] < 100000000000 ? "%s%.3g" : "%s%.0f",
			i ? "/" : "", (double)quarters->end_ns[i] / 1e9);
	fputs(" s:", text->out);
	put_sizes(text, quarters->bytes);
}

void text_site(const struct text *text, size_t i)
{
	const struct model_site *site = text->rows[i];

	put_head(text, site, i + 1);
	put_freed(text, site);
	put_ages(text, site);
	putc('\n', text->out);
	put_quarters(text, site);
	text_call(text, &site->call,
		  site->smallest_bytes == site->largest_bytes ? site->smallest_bytes : TEXT_NO_SIZE);
	text_keeper(text, &site->keeper);
}
