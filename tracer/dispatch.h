/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What each kind of stop asks for.  One thread. */
#ifndef MEMTRACE_DISPATCH_H
#define MEMTRACE_DISPATCH_H

#include "trace.h"

/* Waits for the next stop of any target and handles it. */
void dispatch_next(struct trace *trace);

/* Threads that stopped and that no event has told of, since the event was lost with the
 * thread that had it; to be called now and then. */
void dispatch_strays(struct trace *trace);

/* Fork children that still have this process's patches in their memory. */
bool dispatch_has_children(const struct trace *trace, const struct process *process);

#endif
