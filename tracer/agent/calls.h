/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The calls that a thread has under way in wrapped functions, innermost last, and whether a
 * new one is made by one of them.  As probe/calls.h, which says why; here the frame of the
 * stub shows a call that is under way.
 *
 * thread may be NULL: no place was left for it.
 */
#ifndef MEMTRACE_AGENT_CALLS_H
#define MEMTRACE_AGENT_CALLS_H

#include "thread.h"

/* What agent_after() has to tell of a call. */
#define AGENT_TELL_NEW 1u		/* the block it returns */
#define AGENT_TELL_OLD 2u		/* the block it resizes */
#define AGENT_TELL_ALL (AGENT_TELL_NEW | AGENT_TELL_OLD)
#define AGENT_TELL_UNKNOWN 4u
#define AGENT_TELL_INSIDE 8u		/* the call is nested: only where its block is */

/* Is the call whose return address lies at sp made by another one?  Drops those that are no
 * longer under way: left by longjmp or by an exception. */
bool agent_calls_nested_slow(struct agent_thread *thread, taddr_t sp, taddr_t fp);

static inline bool agent_calls_nested(struct agent_thread *thread, taddr_t sp, taddr_t fp)
{
	if (AGENT_LIKELY(thread && !thread->nr_calls))
		return false;
	return agent_calls_nested_slow(thread, sp, fp);
}

/* Some allocators hand a call on five times; room is left for the calls of handlers. */
static inline bool agent_calls_take_nested(const struct agent_thread *thread)
{
	return thread && thread->nr_calls < AGENT_CALLS - 2;
}

void agent_calls_push(struct agent_thread *thread, taddr_t sp,
		      const struct agent_function *function, uint32_t tell);

/* Takes it out with all that it made, and returns what it was pushed with, or that it is not
 * known. */
uint32_t agent_calls_pop(struct agent_thread *thread, taddr_t sp);

#endif
