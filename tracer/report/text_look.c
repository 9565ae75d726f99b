/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One look at a process that nobody traces: what is lost, and how its heap is used. */
#include <inttypes.h>
#include <time.h>

#include "text.h"
#include "units.h"

/* More arenas than processors times eight are not made; all the same, a list has an end. */
#define ARENAS_SHOWN 16

static void put_name(const struct text *text)
{
	const struct run_facts *facts = text->model->facts;
	char name[TEXT_NAME_BYTES];

	fprintf(text->out, "%s (pid %d)", inert(name, sizeof(name), facts->name), (int)facts->pid);
}

static void put_label(const struct text *text, enum text_color color, const char *label)
{
	text_color(text, color);
	fputs(label, text->out);
	text_color(text, TEXT_PLAIN);
	put_name(text);
}

static struct model_sum all_blocks(const struct model *model)
{
	struct model_sum sum = { 0 };

	for (unsigned kind = 0; kind < SITE_KINDS; kind++) {
		sum.bytes += model->before[kind].bytes;
		sum.blocks += model->before[kind].blocks;
	}
	return sum;
}

static void put_verdict(const struct text *text)
{
	const struct model *model = text->model;
	const struct model_sum *lost = &model->before[SITE_DEFINITE];
	const struct model_sum *below = &model->before[SITE_INDIRECT];
	const struct model_sum *possible = &model->before[SITE_POSSIBLE];
	char why[TEXT_NAME_BYTES];

	if (model->verdict == VERDICT_INCOMPLETE) {
		put_label(text, TEXT_YELLOW, "INCOMPLETE: ");
		fprintf(text->out, ": %s; nothing may be concluded from this.\n",
			inert(why, sizeof(why), model->facts->incomplete));
	} else if (lost->blocks) {
		put_label(text, TEXT_RED, "LEAK: ");
		fprintf(text->out, " has lost %s bytes in %s.\n      Nothing points to them any more.\n",
			units_number(lost->bytes + below->bytes).text,
			units_count(lost->blocks + below->blocks, "block").text);
	} else {
		put_label(text, TEXT_BOLD, "NOTHING LOST: ");
		fprintf(text->out, " has pointers to all its blocks%s.\n",
			possible->blocks ? ", to some only to their inside" : "");
	}
}

static void put_look(const struct text *text)
{
	const struct run_facts *facts = text->model->facts;
	char started[32] = "?";
	struct tm utc;

	if (gmtime_r(&facts->started.tv_sec, &utc))
		strftime(started, sizeof(started), "%Y-%m-%d %H:%M:%S UTC", &utc);
	fprintf(text->out, "\nLooked   at %s: paused %s, copied %s MiB of %s\n", started,
		units_time(facts->attach_pause_ns + facts->detach_pause_ns).text,
		units_mib(facts->scan.bytes).text,
		units_count(facts->scan.threads, "thread").text);
	fprintf(text->out, "Process  RSS %s MiB; its blocks in use %s MiB\n",
		units_mib(facts->rss_end_bytes).text, units_mib(all_blocks(text->model).bytes).text);
}

static void put_arena(const struct text *text, const struct arena *arena, const char *name)
{
	fprintf(text->out, "  %14s %15s in %11s  %15s %15s %15s%s\n", name,
		units_number(arena->used_bytes).text, units_number(arena->used_blocks).text,
		units_number(arena->free_bytes + arena->cached_bytes).text,
		units_number(arena->top_bytes).text, units_number(arena->system_bytes).text,
		arena->busy ? "  (busy)" : "");
}

static void add(struct arena *sum, const struct arena *arena)
{
	sum->used_blocks += arena->used_blocks;
	sum->used_bytes += arena->used_bytes;
	sum->free_bytes += arena->free_bytes + arena->cached_bytes;
	sum->top_bytes += arena->top_bytes;
	sum->system_bytes += arena->system_bytes;
}

static void put_mapped(const struct text *text, struct arena *sum)
{
	const struct model_sum *mapped = &text->model->mapped;
	const struct arena as_arena = {
		.used_bytes = mapped->bytes, .used_blocks = mapped->blocks,
		.system_bytes = mapped->bytes,
	};

	if (mapped->blocks)
		put_arena(text, &as_arena, "mapped");
	add(sum, &as_arena);
}

static void put_fragmentation(const struct text *text, const struct arena *sum)
{
	if (sum->system_bytes)
		fprintf(text->out, "  Of what it has from the system %.0f %% is in use; %.0f %% is"
			" free between its blocks.\n",
			100.0 * (double)sum->used_bytes / (double)sum->system_bytes,
			100.0 * (double)sum->free_bytes / (double)sum->system_bytes);
}

static void put_heap(const struct text *text)
{
	const struct model *model = text->model;
	struct arena sum = { 0 };
	char name[32];

	if (!model->facts->scan.walked)
		return;
	fprintf(text->out, "\nHEAP SUMMARY:   bytes in use   in     blocks             free    free at"
		" the end     from the system\n");
	for (size_t i = 0; i < model->nr_arenas; i++) {
		snprintf(name, sizeof(name), "0x%" PRIx64, model->arenas[i].address);
		if (i < ARENAS_SHOWN)
			put_arena(text, &model->arenas[i], i ? name : "main arena");
		add(&sum, &model->arenas[i]);
	}
	if (model->nr_arenas > ARENAS_SHOWN)
		fprintf(text->out, "  (%s more: --format json shows all)\n",
			units_count(model->nr_arenas - ARENAS_SHOWN, "arena").text);
	put_mapped(text, &sum);
	put_arena(text, &sum, "all");
	put_fragmentation(text, &sum);
}

void text_look(const struct text *text)
{
	put_verdict(text);
	put_look(text);
	put_heap(text);
}
