/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Nested or not is told by one walk outward.  A signal frame comes first: a handler allocates,
 * and the calls wait beneath.  The frame of a stub that one of the calls is in comes first: it
 * is nested.  The walk ends at the outermost frame: all calls are stale.  Where it is lost, as
 * in an allocator without unwind data, the word that the stub of a live call left is looked for.
 */
#include "calls.h"

#include "walk.h"

static uint32_t nr_calls(const struct agent_thread *thread)
{
	return thread->nr_calls < AGENT_CALLS ? thread->nr_calls : AGENT_CALLS;
}

/* Number of calls up to that one; 0: none of them. */
static uint32_t find(const struct agent_thread *thread, taddr_t sp)
{
	uint32_t nr = nr_calls(thread);

	while (nr && thread->calls[nr - 1].sp != sp)
		nr--;
	return nr;
}

/* sp: of the frame of a stub. */
static bool is_in_stub(struct agent_walk *walk, taddr_t sp)
{
	uint32_t nr;

	if (!walk->thread)
		return true;
	nr = find(walk->thread, sp + AGENT_WRAP_BYTES);
	if (nr)
		walk->thread->nr_calls = nr;
	return nr;
}

/* False: there is no stub there any more.  *is_known is false where nobody can tell. */
static bool is_alive(const struct agent_walk *walk, const struct agent_call *call, bool *is_known)
{
	taddr_t place = call->sp - AGENT_STUB_WORD;

	*is_known = true;
	if (agent_bounds_hold(&walk->bounds, place))
		return agent_is_stub(&walk->codes, place);
	/* Below on this stack it is gone; on another one it may wait for this handler's end. */
	*is_known = walk->is_known && call->sp < walk->bounds.high;
	return false;
}

static bool is_nested_by_words(const struct agent_walk *walk)
{
	struct agent_thread *thread = walk->thread;
	bool is_known = true;

	for (; nr_calls(thread) && is_known; thread->nr_calls = nr_calls(thread) - is_known)
		if (is_alive(walk, &thread->calls[nr_calls(thread) - 1], &is_known))
			return true;
	return false;
}

/* The walk has ended without a stub and without a signal. */
static bool is_nested_at_end(struct agent_walk *walk, const struct step_frame *last)
{
	if (!walk->thread)
		return false;
	if (last->pc && walk->end != WALK_OUTERMOST)
		return is_nested_by_words(walk);
	walk->thread->nr_calls = 0;
	return false;
}

/* No call that is under way begins where this one does. */
static void drop_equal(struct agent_thread *thread, taddr_t sp)
{
	uint32_t nr = thread ? find(thread, sp) : 0;

	if (nr)
		thread->nr_calls = nr - 1;
}

bool agent_calls_nested_slow(struct agent_thread *thread, taddr_t sp, taddr_t fp)
{
	struct agent_walk walk;
	struct step_frame frame;

	drop_equal(thread, sp);
	if (!agent_walk_open(&walk, thread, sp, fp, &frame))
		return false;
	for (uint32_t i = 0; frame.pc && i < AGENT_FRAMES * 8; i++) {
		struct agent_code code;

		agent_walk_look(&walk, &frame, &code);
		if (code.rule.kind == RULE_SIGNAL)
			return false;
		if (code.module == AGENT_MODULE && is_in_stub(&walk, frame.sp))
			return true;
		if (!agent_walk_next(&walk, &frame, &code))
			break;
	}
	return is_nested_at_end(&walk, &frame);
}

/*
 * Full: the outermost is forgotten, what it makes then counts as calls of its own.  A handler
 * that comes before the number is written pushes and pops in the same place, so it is filled
 * twice.
 */
void agent_calls_push(struct agent_thread *thread, taddr_t sp,
		      const struct agent_function *function, uint32_t tell)
{
	struct agent_call call = { .sp = sp, .function = function->index, .tell = tell };
	uint32_t nr = nr_calls(thread);

	if (nr == AGENT_CALLS) {
		for (uint32_t i = 1; i < nr; i++)
			thread->calls[i - 1] = thread->calls[i];
		nr--;
	}
	thread->calls[nr] = call;
	agent_order();
	thread->nr_calls = nr + 1;
	agent_order();
	thread->calls[nr] = call;
}

uint32_t agent_calls_pop(struct agent_thread *thread, taddr_t sp)
{
	uint32_t nr = thread ? find(thread, sp) : 0;

	if (!nr)
		return AGENT_TELL_UNKNOWN;
	thread->nr_calls = nr - 1;
	return thread->calls[nr - 1].tell;
}
