/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes records.  A place is claimed by one addition, after a look whether there is room;
 * AGENT_RING_MARGIN is for threads between the two.  Any number of threads, and handlers.
 */
#ifndef MEMTRACE_AGENT_RING_H
#define MEMTRACE_AGENT_RING_H

#include "thread.h"

/* thread may be NULL.  What cannot be recorded is counted. */
void agent_put(const struct agent_thread *thread, const struct agent_function *function,
	       enum agent_kind kind, taddr_t address, uint64_t size, uint32_t node);

#endif
