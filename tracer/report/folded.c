/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Folded stacks, for flame graphs: one line a site, root first, then its live bytes.
 *
 *	main;make_session(int) 960000
 */
#include <errno.h>
#include <inttypes.h>

#include "formats.h"
#include "places.h"

/* A longer name is shortened: viewers take a line for a screen's width anyway. */
#define NAME_BYTES 4096

static void put_frame(const struct model_frame *frame, const struct run_facts *facts, FILE *out)
{
	char name[NAME_BYTES];

	place_name(name, sizeof(name), facts, frame);
	for (char *c = name; *c; c++)
		if (*c == ';')
			*c = ':';
	fputs(name, out);
}

static void put_site(const struct model_site *site, const struct run_facts *facts, FILE *out)
{
	if (!site->call.nr_frames)
		fputs("[no stack]", out);
	for (size_t i = site->call.nr_frames; i-- > 0;) {
		put_frame(&site->call.stack[i], facts, out);
		if (i)
			putc(';', out);
	}
	fprintf(out, " %" PRIu64 "\n", site->bytes);
}

int folded_print(const struct model *model, const struct report_style *style, FILE *out)
{
	for (size_t i = 0; i < model->nr_sites; i++)
		put_site(&model->sites[i], model->facts, out);
	return ferror(out) ? -EIO : 0;
}
