/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One site: how much, since when, and the stack in two columns:
 *
 *	      at malloc(20)
 *	      by make_session(int)          session.cc:19
 *	           19 |  auto *s = new Session;
 */
#include <inttypes.h>
#include <string.h>

#include "places.h"
#include "templates.h"
#include "text.h"
#include "units.h"
#include "../base/utf8.h"

#define COLUMN_MIN 24
#define COLUMN_MAX 60

/* Frames whose source is asked for: each may cost a search for a file that is not there. */
#define SOURCE_TRIES 4

/* Deeper stacks are of interpreters and recursion, and are read by nobody. */
#define FRAMES_SHOWN 32

static void put_head(const struct text *text, const struct model_site *site, size_t number)
{
	const struct text_amount amount = {
		.bytes = site->bytes, .bytes_error = site->errors.bytes,
		.blocks = site->blocks, .samples = site->counted.live_blocks,
	};

	text_color(text, TEXT_BOLD);
	fprintf(text->out, "\n%zu. %s ", number, site->growing ? "GROWING" : "UNFREED");
	text_amount(text, &amount);
	if (site->growing)
		fprintf(text->out, ", %s", text_rate(text, site->bytes).text);
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

static void put_function(const struct text *text, const struct model_site *site)
{
	char name[TEXT_NAME_BYTES];

	fprintf(text->out, "      at %s", inert(name, sizeof(name), site->function));
	if (site->smallest_bytes == site->largest_bytes)
		fprintf(text->out, "(%" PRIu64 ")", site->smallest_bytes);
	putc('\n', text->out);
}

/* The left column; its width in characters. */
static size_t name_frame(char *buffer, size_t bytes, const struct text *text,
			 const struct model_frame *frame)
{
	static const char mark[] = " [inlined]";
	char name[16 * TEXT_NAME_BYTES];

	place_name(name, sizeof(name), text->model->facts, frame);
	if (utf8_length(name) > COLUMN_MAX)
		templates_fold(name);
	inert(buffer, bytes - sizeof(mark), name);
	if (frame->inlined)
		strcat(buffer, mark);
	return utf8_length(buffer);
}

/* What called main() is the same in every program. */
static size_t nr_frames_to_main(const struct model_site *site)
{
	for (size_t i = site->nr_frames; i-- > 0;)
		if (site->stack[i].function && !strcmp(site->stack[i].function, "main"))
			return i + 1;
	return site->nr_frames;
}

static size_t nr_frames_shown(const struct model_site *site)
{
	size_t nr = nr_frames_to_main(site);

	return nr > FRAMES_SHOWN ? FRAMES_SHOWN : nr;
}

static size_t column_width(const struct text *text, const struct model_site *site)
{
	char name[TEXT_NAME_BYTES];
	size_t width = COLUMN_MIN;

	for (size_t i = 0; i < nr_frames_shown(site); i++) {
		size_t length = name_frame(name, sizeof(name), text, &site->stack[i]);

		if (length > width && length <= COLUMN_MAX)
			width = length;
	}
	return width;
}

/* The right column: the line, or else the module where the name does not tell it. */
static void put_line(const struct text *text, const struct model_frame *frame)
{
	const struct run_module *module = place_module(text->model->facts, frame->code);
	char name[TEXT_NAME_BYTES];

	if (frame->file && frame->line)
		fprintf(text->out, "%s:%" PRIu32,
			inert(name, sizeof(name), place_base(frame->file)), frame->line);
	else if (frame->file)
		fputs(inert(name, sizeof(name), place_base(frame->file)), text->out);
	else if (module)
		fprintf(text->out, "(%s)",
			inert(name, sizeof(name), place_base(module->path)));
}

static void put_frame(const struct text *text, const struct model_frame *frame, size_t width)
{
	char name[TEXT_NAME_BYTES];
	size_t length = name_frame(name, sizeof(name), text, frame);

	fprintf(text->out, "      by %s", name);
	if (frame->function) {
		fprintf(text->out, "%*s", length < width ? (int)(width - length) + 2 : 2, "");
		put_line(text, frame);
	}
	putc('\n', text->out);
}

/* Lines of system headers are nothing that the reader wrote. */
static bool is_own_source(const struct model_frame *frame)
{
	static const char system[] = "/usr/include/";

	return frame->file && frame->line && strncmp(frame->file, system, strlen(system));
}

static bool put_source(const struct text *text, const struct model_frame *frame)
{
	char line[TEXT_NAME_BYTES], shown[TEXT_NAME_BYTES];

	if (symbolizer_source_line(text->model->symbolizer, frame->file, frame->line, line,
				   sizeof(line)))
		return false;
	for (char *c = line; *c; c++)
		if (*c == '\t')
			*c = ' ';
	fprintf(text->out, "%13" PRIu32 " |  %s\n", frame->line,
		inert(shown, sizeof(shown), line));
	return true;
}

static void put_rest(const struct text *text, const struct model_site *site)
{
	size_t hidden = nr_frames_to_main(site) - nr_frames_shown(site);

	if (!site->nr_frames)
		fputs("      (no caller could be found)\n", text->out);
	if (hidden)
		fprintf(text->out, "      ... %s; --format json shows all\n",
			units_count(hidden, "more frame").text);
	if (site->truncated)
		fputs("      ... and callers that were not kept: see -k\n", text->out);
}

static void put_stack(const struct text *text, const struct model_site *site)
{
	size_t width = column_width(text, site);
	int tries = text->model->symbolizer ? SOURCE_TRIES : 0;

	for (size_t i = 0; i < nr_frames_shown(site); i++) {
		const struct model_frame *frame = &site->stack[i];

		put_frame(text, frame, width);
		if (tries && is_own_source(frame))
			tries = put_source(text, frame) ? 0 : tries - 1;
	}
	put_rest(text, site);
}

void text_site(const struct text *text, size_t i)
{
	const struct model_site *site = &text->model->sites[i];

	put_head(text, site, i + 1);
	put_freed(text, site);
	put_ages(text, site);
	putc('\n', text->out);
	put_quarters(text, site);
	put_function(text, site);
	put_stack(text, site);
}
