/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the share of the time that processes are stopped makes us do.  One thread. */
#ifndef MEMTRACE_PAUSES_H
#define MEMTRACE_PAUSES_H

#include "trace.h"

/* After each run_tick(): with --overhead begins and ends the pauses of the brake; without it warns,
 * once.  While the switch is off it does nothing. */
void pauses_tick(struct trace *trace, struct run *run);

#endif
