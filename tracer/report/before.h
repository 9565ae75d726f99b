/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Blocks that nobody saw allocated: from a scan's groups to the model's. */
#ifndef MEMTRACE_REPORT_BEFORE_H
#define MEMTRACE_REPORT_BEFORE_H

#include "report.h"

/* All of them, sorted, without types and keepers; and how many are to have them, so that the first
 * style->top that are shown do.  0 or -ENOMEM. */
int before_collect(struct model *model, const struct report_style *style);

/* Of a process that was attached to, what it has is a part of the answer; a command has only what its
 * loader allocated before anything could be seen. */
bool before_is_shown(const struct model *model, const struct model_group *group, unsigned kinds);

#endif
