/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From return addresses to the frames that a report shows. */
#ifndef MEMTRACE_REPORT_NAMES_H
#define MEMTRACE_REPORT_NAMES_H

#include "report.h"

/* Fills in stack and nr_frames of the first nr_named sites, and the model's tables.  A symbolizer that fails
 * only costs the names; -ENOMEM is the only failure. */
int names_resolve(struct model *model);

#endif
