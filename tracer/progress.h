/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the user is told while a run goes on: on standard error, never in the report. */
#ifndef MEMTRACE_PROGRESS_H
#define MEMTRACE_PROGRESS_H

#include "trace.h"

void progress_attached(const struct run *run);
/* What is to be known of its languages, or checkers. */
void progress_runtimes(const struct run *run);
void progress_begin(const struct trace *trace);
/* The counter line, once a second. */
void progress_update(struct trace *trace, uint64_t now_ns);
void progress_detached(const struct trace *trace);

#endif
