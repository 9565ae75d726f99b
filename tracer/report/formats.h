/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The formats' print functions, for the table in report.c.  0, or -EIO, or -ENOMEM. */
#ifndef MEMTRACE_REPORT_FORMATS_H
#define MEMTRACE_REPORT_FORMATS_H

#include "report.h"

int text_print(const struct model *model, const struct report_style *style, FILE *out);
int json_print(const struct model *model, const struct report_style *style, FILE *out);
int folded_print(const struct model *model, const struct report_style *style, FILE *out);

#endif
