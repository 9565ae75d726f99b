/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Wrong frees, each with its stacks, and the summary in valgrind's words, which says "1 errors"
 * too.
 */
#include <inttypes.h>

#include "errors.h"
#include "text.h"
#include "units.h"

static void put_head(const struct text *text, const struct model_wrong *wrong)
{
	const struct wrong_free *found = wrong->found;

	text_color(text, TEXT_BOLD);
	if (!wrong->is_double)
		fputs("\nINVALID FREE of the pointer", text->out);
	else if (found->first.site)
		fprintf(text->out, "\nDOUBLE FREE of a block of %s at",
			units_count(found->first.size, "byte").text);
	else
		fputs("\nDOUBLE FREE of a block at", text->out);
	fprintf(text->out, " 0x%" PRIx64, found->free.address);
	if (found->count > 1)
		fprintf(text->out, ", the first of %s", units_number(found->count).text);
	text_color(text, TEXT_PLAIN);
	putc('\n', text->out);
}

/* The clock of jumps does not move for a while; and threads are known to an engine alone. */
static void put_since(const struct text *text, const struct wrong_free *found)
{
	const struct freeing *first = &found->first.free, *again = &found->free;
	uint64_t ns = again->time_ns > first->time_ns ? again->time_ns - first->time_ns : 0;

	if (ns)
		fprintf(text->out, " %s", units_time(ns).text);
	else
		fputs(" soon", text->out);
	fputs(" after the first free", text->out);
	if (first->function == again->function)
		fprintf(text->out, ", in %s thread",
			first->tid == again->tid ? "the same" : "another");
}

static void put_double(const struct text *text, const struct model_wrong *wrong)
{
	fprintf(text->out, "   %s again", wrong->found->free.resizes ? "resized" : "freed");
	put_since(text, wrong->found);
	putc('\n', text->out);
	text_call(text, &wrong->free, TEXT_NO_SIZE);
	fprintf(text->out, "   first freed here%s\n",
		wrong->found->first.free.resizes ? ", by a resize" : "");
	text_call(text, &wrong->first, TEXT_NO_SIZE);
	if (!wrong->alloc.function)
		return;
	fputs("   allocated here\n", text->out);
	text_call(text, &wrong->alloc, wrong->found->first.size);
}

static void put_invalid(const struct text *text, const struct model_wrong *wrong)
{
	const struct block *around = &wrong->around;

	fprintf(text->out, "   %s here\n", wrong->found->free.resizes ? "resized" : "freed");
	text_call(text, &wrong->free, TEXT_NO_SIZE);
	if (!around->address) {
		fputs("   no block begins there, nor was one freed there lately\n", text->out);
		return;
	}
	fprintf(text->out, "   it is %s inside a block of %s, allocated here\n",
		units_count(wrong->found->free.address - around->address, "byte").text,
		units_count(around->size, "byte").text);
	text_call(text, &wrong->alloc, around->size);
}

void text_wrongs(const struct text *text)
{
	const struct model *model = text->model;
	size_t top = text->style->top, nr = model->nr_wrongs, shown = top && top < nr ? top : nr;

	for (size_t i = 0; i < shown; i++) {
		put_head(text, &model->wrongs[i]);
		if (model->wrongs[i].is_double)
			put_double(text, &model->wrongs[i]);
		else
			put_invalid(text, &model->wrongs[i]);
	}
	if (shown < nr)
		fprintf(text->out, "\n(%s of wrong frees: -n 0 shows all)\n",
			units_count(nr - shown, "more place").text);
	if (nr && model->nr_wrongs_lost)
		fprintf(text->out, "\n(%s more at places beyond the first %s, in no figure here)\n",
			units_number(model->nr_wrongs_lost).text,
			units_number(WRONG_CONTEXTS).text);
}

void text_errors(const struct text *text)
{
	struct errors errors = errors_count(text->model, text->style->error_kinds);

	if (!errors_are_known(text->model))
		return;
	fprintf(text->out, "\nERROR SUMMARY: %s errors from %s contexts (suppressed: 0 from 0)%s\n",
		units_number(errors.errors).text, units_number(errors.contexts).text,
		text->model->judges_frees ? "" : "; wrong frees could not be told");
}
