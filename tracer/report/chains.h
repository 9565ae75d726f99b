/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From what a scan found to keep blocks (scan/keepers.h) to what a report shows of it. */
#ifndef MEMTRACE_REPORT_CHAINS_H
#define MEMTRACE_REPORT_CHAINS_H

#include "report.h"

/* The rows and groups are sorted, and it is known which are to be named: fills in their keepers, but for the
 * variables, and which further rows are to be named.  0 or -ENOMEM. */
int chains_collect(struct model *model);

#endif
