/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The variables of those that keep blocks, and those that blocks have their types by. */
#ifndef MEMTRACE_REPORT_VARIABLES_H
#define MEMTRACE_REPORT_VARIABLES_H

#include "report.h"

/* Looks up those that are not known yet, of the rows and groups that are named.  A symbolizer that fails only
 * costs the names; 0 or -ENOMEM. */
int variables_resolve(struct model *model);

/* Whether one of them lies in the module, counted from 1. */
bool variables_are_missing(const struct model *model, uint32_t module);

#endif
