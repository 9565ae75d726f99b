/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From return addresses to the frames that a report shows. */
#ifndef MEMTRACE_REPORT_NAMES_H
#define MEMTRACE_REPORT_NAMES_H

#include "report.h"

/* Fills in stack and nr_frames of all calls that are to be named, and the model's tables.  A
 * symbolizer that fails only costs the names; -ENOMEM is the only failure. */
int names_resolve(struct model *model);

/* The same for stacks that are there, with or without names: those that lack a function or a line
 * are looked up, and what is found takes the place of what is known less well. */
int names_complete(struct model *model);

/* Whether such a frame lies in the module, counted from 1. */
bool names_are_missing(const struct model *model, uint32_t module);

#endif
