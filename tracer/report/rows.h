/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the live blocks to the rows of a report: one for each site and kind that any of its blocks
 * are of.
 */
#ifndef MEMTRACE_REPORT_ROWS_H
#define MEMTRACE_REPORT_ROWS_H

#include "report.h"

/* Fills in sites, in no order, and the sums of kinds.  0 or -ENOMEM. */
int rows_collect(struct model *model);

/* In the order in which they are reported. */
void rows_sort(struct model *model);

/* Whether a text that is to show these kinds (bits) shows it: what grows, and what nothing is known
 * of, always. */
bool rows_is_shown(const struct model_site *row, unsigned kinds);
/* How many rows there are up to the last one of `top` that are shown; 0: all are needed. */
size_t rows_needed(const struct model *model, unsigned kinds, size_t top);

#endif
