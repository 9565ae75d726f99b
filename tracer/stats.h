/* SPDX-License-Identifier: GPL-2.0-or-later */
/* --stats: what the tracing itself cost, on standard error. */
#ifndef MEMTRACE_STATS_H
#define MEMTRACE_STATS_H

#include "trace.h"

void stats_print(const struct trace *trace);

#endif
