/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 *     0.000123 4711 [main]malloc --> addr: 0x55d0c8e2a2a0, size: 10  three.c:7
 *     seconds  thread [caller]function                               line of the call
 */
#include "../base/inert.h"
#include "format.h"

static void add_time(struct words *words, uint64_t ns)
{
	words_add_digits(words, ns / 1000000000, 10, 4, ' ');
	words_add(words, ".");
	words_add_digits(words, ns / 1000 % 1000000, 10, 6, '0');
	words_add(words, " ");
}

static void add_thread(struct words *words, pid_t tid, const struct stream_style *style)
{
	if (style->several) {
		words_add_number(words, (uint64_t)style->pid);
		words_add(words, "/");
	}
	if (tid > 0)
		words_add_number(words, (uint64_t)tid);
	else
		words_add(words, "?");
	words_add(words, " ");
}

static void add_module(struct words *words, const struct image_site *site)
{
	const char *slash = strrchr(site->module->path, '/');
	char shown[128];

	words_add(words, inert(shown, sizeof(shown), slash ? slash + 1 : site->module->path));
	words_add(words, "+");
	words_add_hex(words, site->pc + 1 - site->module->bias);
}

static void add_caller(struct words *words, const struct image_site *site)
{
	words_add(words, "[");
	if (site->name && site->name->function)
		words_add(words, site->name->function);
	else if (site->module)
		add_module(words, site);
	else if (site->pc)
		words_add_hex(words, site->pc + 1);
	else
		words_add(words, "?");
	words_add(words, "]");
}

static void add_source(struct words *words, const struct image_site *site)
{
	if (!site->name || !site->name->file)
		return;
	words_add(words, "  ");
	words_add(words, site->name->file);
	if (!site->name->line)
		return;
	words_add(words, ":");
	words_add_number(words, site->name->line);
}

/* NULL: it is about a call. */
static const char *note_of(const struct line *line)
{
	switch (line->kind) {
	case LINE_REST:
		return "nothing is watched: memleak = 0";
	case LINE_WAKE:
		return "watched again: memleak = 1";
	case LINE_PAUSE:
		return "nothing is watched: --overhead";
	case LINE_PAUSE_END:
		return "watched again: --overhead";
	case LINE_EXEC:
		return "another program: exec";
	default:
		return NULL;
	}
}

static void add_call(struct words *words, const struct line *line, const struct image_site *site)
{
	add_caller(words, site);
	words_add(words, site->function);
	words_add(words, " --> addr: ");
	words_add_hex(words, line->address);
	if (line->kind == LINE_ALLOC || line->kind == LINE_KEPT || line->kind == LINE_FAILED) {
		words_add(words, ", size: ");
		words_add_number(words, line->size);
	}
	if (line->kind == LINE_RESIZED)
		words_add(words, ", freed");
	if (line->kind == LINE_KEPT || line->kind == LINE_FAILED)
		words_add(words, ", failed");
	add_source(words, site);
}

static void log_line(struct words *words, const struct line *line, const struct image_site *site,
		     const struct stream_style *style)
{
	const char *note = note_of(line);

	add_time(words, line->time_ns);
	add_thread(words, note ? style->pid : line->tid, style);
	if (note)
		words_add(words, note);
	else
		add_call(words, line, site);
	words_end(words);
}

static void add_count(struct words *words, const char *what, uint64_t number)
{
	words_add(words, what);
	words_add_number(words, number);
}

static void add_trouble(struct words *words, const struct stream_totals *totals)
{
	if (totals->failed)
		add_count(words, ", failed: ", totals->failed);
	if (totals->unknown_frees)
		add_count(words, ", frees of unknown blocks: ", totals->unknown_frees);
	if (totals->dropped)
		add_count(words, ", calls not seen: ", totals->dropped);
	if (totals->lost)
		add_count(words, ", lines not written: ", totals->lost);
}

static void log_end(struct words *words, const struct stream_totals *totals,
		    const struct stream_style *style)
{
	char name[128];

	add_time(words, totals->time_ns);
	add_thread(words, style->pid, style);
	words_add(words, "[");
	words_add(words, inert(name, sizeof(name), style->name));
	add_count(words, "]counts --> allocs: ", totals->allocs);
	add_count(words, ", frees: ", totals->frees);
	add_count(words, ", size: ", totals->bytes_allocated);
	add_count(words, ", still in use: ", totals->live_bytes);
	add_count(words, " bytes in ", totals->live_blocks);
	words_add(words, " blocks");
	add_trouble(words, totals);
	words_end(words);
}

static void log_begin(struct words *words)
{
}

const struct stream_format stream_log = {
	.name = "log", .begin = log_begin, .line = log_line, .end = log_end,
};
