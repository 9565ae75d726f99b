/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A walk within the thread itself: unwind/step.h with reads that stay within the stack.
 *
 *	agent_walk_open(&walk, thread, sp, fp, &frame)	the caller of the function whose
 *	do						return address lies at sp
 *		agent_walk_look(&walk, &frame, &code);
 *	while (agent_walk_next(&walk, &frame, &code));
 *
 * The frame is apart from the walk, so that it lies in registers.  Nothing fails: a walk ends.
 */
#ifndef MEMTRACE_AGENT_WALK_H
#define MEMTRACE_AGENT_WALK_H

#include "../unwind/step.h"
#include "code.h"
#include "thread.h"

struct agent_walk {
	struct agent_codes codes;
	struct agent_bounds bounds;
	struct agent_thread *thread;	/* NULL: not known */
	enum walk_end end;
	bool is_known;			/* the stack is: bounds are its */
	bool is_unread;			/* a word lies beyond a stack that is not known */
};

/* False: there is no map, and so no walk. */
static inline bool agent_walk_open(struct agent_walk *walk, struct agent_thread *thread,
				   taddr_t sp, taddr_t fp, struct step_frame *frame)
{
	walk->thread = thread;
	walk->is_unread = false;
	walk->end = WALK_LOST;
	walk->is_known = agent_bounds_at(thread, sp, &walk->bounds);
	*frame = (struct step_frame){ .pc = agent_word(sp), .sp = sp + 8, .fp = fp };
	return agent_codes_open(&walk->codes);
}

static inline void agent_walk_look(const struct agent_walk *walk, const struct step_frame *frame,
				   struct agent_code *code)
{
	agent_code_at(&walk->codes, step_place(frame), code);
}

/* From the sp of a wrapped call down to the return address into its stub. */
#define AGENT_STUB_WORD (AGENT_WRAP_BYTES + 8)

/* A word that may be read: is it such a return address? */
static inline bool agent_is_stub(const struct agent_codes *codes, taddr_t address)
{
	struct agent_code code;

	agent_code_at(codes, agent_word(address) - 1, &code);
	return code.module == AGENT_MODULE;
}

static inline bool agent_walk_read(void *reader, taddr_t address, taddr_t *word)
{
	struct agent_walk *walk = reader;

	if (AGENT_UNLIKELY(!agent_bounds_hold(&walk->bounds, address))) {
		walk->is_unread |= !walk->is_known;
		return false;
	}
	*word = agent_word(address);
	return true;
}

static inline bool agent_walk_is_code(void *reader, taddr_t pc)
{
	const struct agent_walk *walk = reader;
	struct agent_code code;

	agent_code_at(&walk->codes, pc, &code);
	return code.is_code;
}

/* sp is that of a frame that a signal interrupted: its stack may be another one. */
void agent_walk_follow(struct agent_walk *walk, taddr_t sp);

/* To the frame further out, by what was found at this one; false at the end, with the reason in
 * walk->end. */
static inline __attribute__((always_inline)) bool agent_walk_next(struct agent_walk *walk,
								  struct step_frame *frame,
								  const struct agent_code *code)
{
	const struct step_reader by = {
		.reader = walk, .read = agent_walk_read, .is_code = agent_walk_is_code,
	};

	walk->is_unread = false;
	if (!step_outward(frame, &by, &code->rule, code->is_code, &walk->end))
		return false;
	if (AGENT_UNLIKELY(frame->after_signal))
		agent_walk_follow(walk, frame->sp);
	return true;
}

#endif
