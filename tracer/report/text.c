/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text report: the first line is the answer, each later part is for who wants more. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "formats.h"
#include "rows.h"
#include "text.h"

void text_color(const struct text *text, enum text_color color)
{
	static const char *const codes[] = {
		[TEXT_PLAIN] = "\033[0m",
		[TEXT_BOLD] = "\033[1m",
		[TEXT_RED] = "\033[1;31m",
		[TEXT_YELLOW] = "\033[1;33m",
	};

	if (text->style->color)
		fputs(codes[color], text->out);
}

void text_end(const struct text *text, const char *preposition, const char *conjunction)
{
	const struct run_facts *facts = text->model->facts;

	switch (facts->end) {
	case RUN_DETACHED:
		break;
	case RUN_EXITED:
		fprintf(text->out, "%s its exit (status %d)", preposition, facts->end_value);
		break;
	case RUN_KILLED:
		fprintf(text->out, "%s signal %d (%s) ended it", conjunction, facts->end_value,
			strsignal(facts->end_value));
		break;
	case RUN_LOST:
		fprintf(text->out, "%s it ended (how is not known)", conjunction);
		break;
	}
}

size_t text_shown(const struct text *text)
{
	size_t top = text->style->top, nr = text->nr_rows;

	if (text->style->summary)
		return 0;
	return top && top < nr ? top : nr;
}

static int find_rows(struct text *text)
{
	const struct model *model = text->model;

	text->rows = calloc(model->nr_sites + 1, sizeof(*text->rows));
	for (size_t i = 0; text->rows && i < model->nr_sites; i++)
		if (rows_is_shown(&model->sites[i], text->style->kinds))
			text->rows[text->nr_rows++] = &model->sites[i];
	return text->rows ? 0 : -ENOMEM;
}

int text_print(const struct model *model, const struct report_style *style, FILE *out)
{
	struct text text = { .model = model, .style = style, .out = out };

	if (find_rows(&text))
		return -ENOMEM;
	if (model->facts->scan.is_all) {
		text_look(&text);
	} else {
		text_verdict(&text);
		text_run(&text);
	}
	text_leaks(&text);
	for (size_t i = 0; i < text_shown(&text); i++)
		text_site(&text, i);
	text_before(&text);
	text_notes(&text);
	free(text.rows);
	return ferror(out) ? -EIO : 0;
}
