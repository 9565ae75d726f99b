/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What keeps a row's blocks, from the root on; each line has the pointer to the next one:
 *
 *	      kept by  g_cache+0x30 (cache.cc:11)
 *	           ->  0x7f3a6c2210a0+0x18     4,096 bytes of 2
 *	           ->  ... 12 more blocks
 *	           ->  0x7f3a5c01e2b0          48 bytes
 */
#include <inttypes.h>

#include "places.h"
#include "text.h"
#include "units.h"

/* Before those that are left out. */
#define STEPS_SHOWN 3
#define PLACE_COLUMN 22

static void put_declaration(const struct text *text, const struct symbol_frame *variable)
{
	char name[TEXT_NAME_BYTES];

	if (variable->file)
		fprintf(text->out, " (%s:%" PRIu32 ")",
			inert(name, sizeof(name), place_base(variable->file)), variable->line);
}

static void put_offset(const struct text *text, uint64_t offset)
{
	if (offset)
		fprintf(text->out, "+0x%" PRIx64, offset);
}

static void put_global(const struct text *text, const struct model_keeper *keeper)
{
	const struct run_module *module = place_module(text->model->facts, keeper->place);
	char name[TEXT_NAME_BYTES];

	if (!keeper->variable.function) {
		fprintf(text->out, "%s", inert(name, sizeof(name), place_base(keeper->path)));
		if (module)
			put_offset(text, place_offset(module, keeper->place));
		else if (keeper->place)
			fprintf(text->out, " at 0x%" PRIx64, code_pc(keeper->place));
		return;
	}
	fputs(inert(name, sizeof(name), keeper->variable.function), text->out);
	put_offset(text, keeper->variable.offset);
	put_declaration(text, &keeper->variable);
	if (module)
		fprintf(text->out, " in %s", inert(name, sizeof(name), place_base(module->path)));
}

static void put_memory(const struct text *text, const struct model_keeper *keeper)
{
	char name[TEXT_NAME_BYTES];

	fputs("memory outside the heap", text->out);
	if (keeper->place)
		fprintf(text->out, " at 0x%" PRIx64, code_pc(keeper->place));
	if (*keeper->path)
		fprintf(text->out, " (%s)", inert(name, sizeof(name), place_base(keeper->path)));
}

void text_root(const struct text *text, const struct model_keeper *keeper)
{
	switch (keeper->kind) {
	case ROOT_MODULE:
		put_global(text, keeper);
		break;
	case ROOT_STACK:
		fprintf(text->out, "the stack of thread %d", (int)keeper->tid);
		break;
	case ROOT_REGISTERS:
		fprintf(text->out, "a register of thread %d", (int)keeper->tid);
		break;
	case ROOT_THREAD:
		fprintf(text->out, "thread-local storage of thread %d", (int)keeper->tid);
		break;
	case ROOT_OTHER:
		put_memory(text, keeper);
		break;
	}
}

/* 0: it is not shown. */
static size_t number_of(const struct text *text, size_t row)
{
	for (size_t i = 0; row != MODEL_NO_ROW && i < text_shown(text); i++)
		if (text->rows[i] == &text->model->sites[row])
			return i + 1;
	return 0;
}

static const struct model_frame *first_line(const struct model_call *call)
{
	for (size_t i = 0; i < call->nr_frames; i++)
		if (call->stack[i].file && call->stack[i].line)
			return &call->stack[i];
	return NULL;
}

/* Its row's number, or else the line that it was allocated at. */
static void put_origin(const struct text *text, size_t row)
{
	size_t number = number_of(text, row);
	const struct model_frame *frame;
	char name[TEXT_NAME_BYTES];

	if (number) {
		fprintf(text->out, " of %zu", number);
	} else if (row != MODEL_NO_ROW) {
		frame = first_line(&text->model->sites[row].call);
		if (frame)
			fprintf(text->out, " from %s:%" PRIu32,
				inert(name, sizeof(name), place_base(frame->file)), frame->line);
	} else {
		fputs(", not seen allocated", text->out);
	}
}

/* Not by its first word, which needs no offset. */
static bool leads_on(const struct model_step *step, const struct model_step *next)
{
	return next && next->slot > step->address && next->slot - step->address < step->bytes;
}

static void put_step(const struct text *text, const struct model_step *step,
		     const struct model_step *next)
{
	char place[64];
	int length = snprintf(place, sizeof(place), "0x%" PRIx64, step->address);

	if (leads_on(step, next))
		snprintf(place + length, sizeof(place) - (size_t)length, "+0x%" PRIx64,
			 next->slot - step->address);
	fprintf(text->out, "           ->  %-*s  %s", PLACE_COLUMN, place,
		units_count(step->bytes, "byte").text);
	put_origin(text, step->row);
	putc('\n', text->out);
}

static void put_steps(const struct text *text, const struct model_keeper *keeper)
{
	size_t last = keeper->nr_steps - 1;
	size_t shown = last > STEPS_SHOWN ? STEPS_SHOWN : last;
	uint64_t hidden = keeper->nr_blocks - 1 - shown;

	/* One line more is as short as to say that it is not there. */
	if (hidden == 1 && shown < last)
		hidden = 0, shown++;
	for (size_t i = 0; i < shown; i++)
		put_step(text, &keeper->steps[i], &keeper->steps[i + 1]);
	if (hidden)
		fprintf(text->out, "           ->  ... %s\n",
			units_count(hidden, "more block").text);
	put_step(text, &keeper->steps[last], NULL);
}

void text_keeper(const struct text *text, const struct model_keeper *keeper)
{
	if (!keeper->nr_blocks)
		return;
	fputs("      kept by  ", text->out);
	text_root(text, keeper);
	putc('\n', text->out);
	if (keeper->nr_blocks > 1)
		put_steps(text, keeper);
}
