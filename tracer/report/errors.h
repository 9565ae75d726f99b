/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What of a report counts as an error, as valgrind counts: each wrong free, and each place that has
 * leaked; of the blocks from before the attach, each kind of leak.
 */
#ifndef MEMTRACE_REPORT_ERRORS_H
#define MEMTRACE_REPORT_ERRORS_H

#include "report.h"

struct errors {
	uint64_t errors, contexts;
	uint64_t leaks;			/* of both */
};

/* kinds: bits of the leaks that count. */
struct errors errors_count(const struct model *model, unsigned kinds);

/* Whether anything was looked for at all: else 0 would say too much. */
bool errors_are_known(const struct model *model);
/* Why there may be more of them; NULL: what could be looked at was.  Valid as long as the model. */
const char *errors_doubt(const struct model *model);

#endif
