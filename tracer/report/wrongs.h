/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which frees are told to be wrong.  What the heap has found is claimed only where nothing else
 * explains it:
 *
 *     any            no event was lost, no free was missed, every function was known from its
 *                    first call on, and no function of the user's took part
 *     double free    every function that makes blocks is known; or else the whole life of the
 *                    program was seen, and every pointer that was freed
 *     invalid free   the whole life of the program was seen, and every function that makes blocks
 *                    is known
 */
#ifndef MEMTRACE_REPORT_WRONGS_H
#define MEMTRACE_REPORT_WRONGS_H

#include "report.h"

/* Fills in all that may be claimed, but for the frames.  0 or -ENOMEM. */
int wrongs_collect(struct model *model);

/* Of each live block: a pointer may lie in it. */
void wrongs_note_block(struct model *model, const struct block *block);

/* Takes out what is not to be claimed, once names are known, and counts the rest. */
void wrongs_check_names(struct model *model);

#endif
