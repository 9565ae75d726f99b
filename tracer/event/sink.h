/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where an engine's events go.  Those of one address all go to the same taker, in their order;
 * different takers may be told at the same time, each by one thread.
 */
#ifndef MEMTRACE_EVENT_SINK_H
#define MEMTRACE_EVENT_SINK_H

#include "event.h"

#define EVENT_TAKERS 4

struct event_sink {
	void (*event)(void *taker, const struct event *event);
	void (*prefetch)(void *taker, taddr_t address);	/* one of it will come soon; or NULL */
	void *takers[EVENT_TAKERS];
	unsigned nr_takers;		/* at least 1 */
};

#endif
