/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of formats: adding one is adding its file, its declaration and its row. */
#include <string.h>

#include "formats.h"

static const struct report_format formats[] = {
	{ "text", text_print, .of_top = true },
	{ "json", json_print, .of_top = false },
	{ "folded", folded_print, .of_top = false },
};

const struct report_format *report_format_at(size_t i)
{
	return i < sizeof(formats) / sizeof(*formats) ? &formats[i] : NULL;
}

const struct report_format *report_format_find(const char *name)
{
	const struct report_format *format;

	for (size_t i = 0; (format = report_format_at(i)); i++)
		if (!strcmp(format->name, name))
			return format;
	return NULL;
}
