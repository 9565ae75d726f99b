/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long the threads of a process stand still because of us.  Of each stop there are three parts:
 *
 *	  thread runs | switch: trap, tracer wakes | held | switch: thread wakes | thread runs
 *
 * What is between two stops of a thread, seen from here, is both switches and whatever it does in
 * between, sleep included; its processor time has the switches, too.  So now and then they are
 * measured where it does nearly nothing: from the entry of an allocator's function to its return.
 *
 * Times are sums over the threads, in ns of clock_ns().  One thread: the tracer.
 */
#ifndef MEMTRACE_TARGET_STANDSTILL_H
#define MEMTRACE_TARGET_STANDSTILL_H

#include "../base/types.h"

/* Of one stop. */
struct standstill_switch {
	uint64_t took_ns;	/* both switches */
	uint64_t cpu_ns;	/* of that, processor time of the thread itself */
};

#define STANDSTILL_SWITCHES 32

struct standstill {
	uint64_t held_ns;
	uint64_t nr_stops;
	struct standstill_switch switches[STANDSTILL_SWITCHES];	/* the last ones measured */
	unsigned nr_switches;					/* so far */
	uint64_t measured_ns;					/* clock_ns() of the last one */
};

void standstill_add_stop(struct standstill *standstill, uint64_t held_ns);

/* Each is some 10 us of work for us. */
bool standstill_wants_switch(const struct standstill *standstill, uint64_t now_ns);
void standstill_add_switch(struct standstill *standstill, const struct standstill_switch *measured,
			   uint64_t now_ns);

/* What a stop takes beside its hold; zeros while none was measured. */
struct standstill_switch standstill_usual_switch(const struct standstill *standstill);

#endif
