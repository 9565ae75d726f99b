/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text report: the first line is the answer, each later part is for who wants more. */
#include <errno.h>
#include <string.h>

#include "formats.h"
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
	size_t top = text->style->top, nr = text->model->nr_sites;

	return top && top < nr ? top : nr;
}

int text_print(const struct model *model, const struct report_style *style, FILE *out)
{
	struct text text = { .model = model, .style = style, .out = out };

	text_verdict(&text);
	text_run(&text);
	for (size_t i = 0; i < text_shown(&text); i++)
		text_site(&text, i);
	text_notes(&text);
	return ferror(out) ? -EIO : 0;
}
