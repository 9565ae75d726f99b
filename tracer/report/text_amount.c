/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Figures that are exact, and figures that samples stand for: the latter are rounded, have
 * "about" before them and their error behind, so that nobody takes the one for the other.
 */
#include "text.h"

bool text_is_sampled(const struct text *text)
{
	return text->model->facts->sample_bytes;
}

const char *text_about(const struct text *text)
{
	return text_is_sampled(text) ? "about " : "";
}

struct words text_number(const struct text *text, uint64_t number)
{
	return text_is_sampled(text) ? units_about(number) : units_number(number);
}

/* What grows has been watched since the last gap. */
struct words text_rate(const struct text *text, uint64_t bytes)
{
	const struct run_facts *facts = text->model->facts;
	uint64_t since_ns = facts->nr_gaps ? facts->gaps[facts->nr_gaps - 1].to_ns : 0;
	uint64_t ns = facts->duration_ns - since_ns;
	struct words words;

	if (!text_is_sampled(text))
		return units_rate(bytes, ns);
	snprintf(words.text, sizeof(words.text), "+%.55s/s",
		 units_size(units_per_second(bytes, ns)).text);
	return words;
}

void text_bytes(const struct text *text, const struct text_amount *amount)
{
	if (text_is_sampled(text))
		fprintf(text->out, "about %s (%s)", units_size(amount->bytes).text,
			units_error(amount->bytes_error, amount->bytes).text);
	else
		fputs(units_count(amount->bytes, "byte").text, text->out);
}

void text_amount(const struct text *text, const struct text_amount *amount)
{
	if (text_is_sampled(text) && !amount->samples) {
		fputs("none of what was sampled", text->out);
		return;
	}
	text_bytes(text, amount);
	if (text_is_sampled(text))
		fprintf(text->out, " in about %s block%s (%s sampled)",
			units_about(amount->blocks).text, amount->blocks == 1 ? "" : "s",
			units_number(amount->samples).text);
	else
		fprintf(text->out, " in %s", units_count(amount->blocks, "block").text);
}
