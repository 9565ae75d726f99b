/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A frame's registers and the words of the stack further out determine all frames further out.
 * So where a walk meets a frame of the last stack, with the same pc, sp and fp, and the words
 * that the rest was found from are still the same, the rest is, too, and has its node.  Of the
 * frames that a report keeps each word is looked at; those further out are taken on trust.
 *
 *	frames   [0] outermost ............ innermost [nr_frames - 1]	kept; a part from 0 on
 *	fresh          outermost [-nr] ... innermost [-1]		found before they meet
 *
 * fp is compared only where a rule further out uses it before it is restored: code without
 * frame pointers has anything in rbp.  Walks across a signal frame are not kept.
 */
#include "stack.h"

#include "tree.h"
#include "walk.h"

/* agent_frame.flags */
#define FP_MATTERS 1u		/* further out */
#define BY_STEP 2u		/* more words led here than sp and fp_slot say: step again */
#define OPEN_END 4u		/* of the first: no rule says that nothing lies further out */
#define CUT_END 8u		/* of the first: the stack ended in AGENT_ROOT_CUT */
#define IS_EXACT 16u		/* while fresh: pc is no return address */
#define USES_FP 32u		/* while fresh: the step outward does */
#define SAVES_FP 64u		/* while fresh: the step outward finds the caller's */

struct search {
	struct agent_walk walk;
	struct step_frame frame;	/* that the walk is at, unless walk_until_known() has it */
	struct agent_code code;		/* at a frame whose rule the cache cannot say */
	struct agent_frame *fresh;	/* their end */
	uint32_t nr, limit;
	uint32_t cursor;		/* frames of the last stack that may be met yet */
	bool is_kept;			/* as the last stack */
	bool is_cut, is_open;		/* the end: see CUT_END, OPEN_END */
	bool is_by_step;		/* the frame that the walk is at: see BY_STEP */
};

/* The i-th that was found. */
static struct agent_frame *fresh_at(const struct search *search, uint32_t i)
{
	return search->fresh - 1 - i;
}

static inline __attribute__((always_inline)) void note(struct search *search,
						       const struct step_frame *frame,
						       const struct agent_code *code)
{
	const struct rule *rule = &code->rule;
	bool has_cfa = rule->kind == RULE_CFA || rule->kind == RULE_CFA_DEREF;
	bool is_exact = frame->after_signal || rule->kind == RULE_SIGNAL;
	struct agent_frame *fresh = fresh_at(search, search->nr++);
	uint32_t flags = search->is_by_step ? BY_STEP : 0;

	flags |= is_exact ? IS_EXACT : 0;
	flags |= has_cfa && rule->rbp_saved ? SAVES_FP : 0;
	/* Where there is no rule, or one that nobody knows, rbp is tried as a frame pointer. */
	if (has_cfa ? rule->cfa_register == RULE_RBP || rule->rbp_saved == RULE_SAVED_AT_RBP :
	    rule->kind == RULE_NONE || rule->kind > RULE_COMPLEX)
		flags |= USES_FP;
	fresh->pc = frame->pc;
	fresh->sp = frame->sp;
	fresh->fp = frame->fp;
	fresh->fp_slot = frame->fp_slot;
	fresh->node = code->module;
	fresh->flags = flags;
}

/* Is the frame that the last step led to found from the words at sp - 8 and fp_slot alone? */
static bool is_by_step(const struct step_frame *frame, const struct rule *rule, taddr_t sp)
{
	return rule->kind == RULE_CFA_DEREF ||
	       (frame->fp_slot && (frame->fp_slot < sp || frame->fp_slot > frame->sp - 8));
}

/* What ended the walk. */
static void set_end(struct search *search, taddr_t last_pc)
{
	const struct agent_walk *walk = &search->walk;
	bool is_unread = last_pc && walk->end == WALK_LOST && walk->is_unread;

	search->is_cut = is_unread || (last_pc && walk->end == WALK_DEPTH);
	search->is_open = !last_pc || walk->end == WALK_LOST || walk->end == WALK_DEPTH;
	if (is_unread)
		agent_add(&agent_state.shared->unread, 1);
}

/* From a frame of the last stack to search->frame. */
static __attribute__((noinline)) bool step_from(struct search *search,
						const struct agent_frame *from)
{
	search->frame = (struct step_frame){ .pc = from->pc, .sp = from->sp, .fp = from->fp };
	agent_walk_look(&search->walk, &search->frame, &search->code);
	return agent_walk_next(&search->walk, &search->frame, &search->code);
}

/* Beyond the outermost frame kept: is the stack's end still the same? */
static __attribute__((noinline)) bool base_holds(struct search *search)
{
	const struct agent_frame *base = &search->walk.thread->frames[0];
	const struct step_frame here = search->frame;
	bool is_end = !step_from(search, base) || !search->frame.pc;

	if (is_end)
		set_end(search, search->frame.pc);
	search->frame = here;
	return is_end && search->is_cut == !!(base->flags & CUT_END);
}

/* By taking the step from the frame before it, which is right. */
static __attribute__((noinline)) bool is_right_by_step(struct search *search,
						       const struct agent_frame *kept)
{
	return step_from(search, kept + 1) && search->frame.pc == kept->pc &&
	       search->frame.sp == kept->sp &&
	       (!(kept->flags & FP_MATTERS) || search->frame.fp == kept->fp);
}

static inline bool is_right(struct search *search, const struct agent_frame *kept)
{
	if (AGENT_UNLIKELY(kept->flags & BY_STEP))
		return is_right_by_step(search, kept);
	if (kept->flags & FP_MATTERS && kept->fp_slot && agent_word(kept->fp_slot) != kept->fp)
		return false;
	return agent_word(kept->sp - 8) == kept->pc;
}

/* Further frames that a report may keep. */
static uint32_t nr_wanted(const struct search *search)
{
	return agent_state.depth > search->nr ? agent_state.depth - search->nr : 0;
}

/* The walk is at frames[at]: are as many frames further out right as a report may keep, and
 * the one after those, which tells that there are more? */
static bool rest_holds(struct search *search, uint32_t at)
{
	const struct agent_frame *frames = search->walk.thread->frames, *frame = &frames[at];
	uint32_t wanted = nr_wanted(search), last = at > wanted ? at - wanted : 0;

	search->cursor = 0;
	if (frames[last].sp > search->walk.bounds.high)
		return false;
	while (frame != &frames[last]) {
		if (AGENT_UNLIKELY(!is_right(search, --frame))) {
			search->cursor = (uint32_t)(frame - frames);
			return false;
		}
	}
	return true;
}

/* Where a report has all frames of the last stack, its end counts, too. */
static bool end_holds(struct search *search, uint32_t at)
{
	return at >= nr_wanted(search) ||
	       !(search->walk.thread->frames[0].flags & OPEN_END) || base_holds(search);
}

/* Number of the frame of the last stack that the walk is at, from 1 on; 0: at none. */
static inline uint32_t meet(struct search *search, const struct step_frame *frame)
{
	const struct agent_frame *kept;

	while (search->cursor && search->walk.thread->frames[search->cursor - 1].sp < frame->sp)
		search->cursor--;
	if (!search->cursor)
		return 0;
	kept = &search->walk.thread->frames[search->cursor - 1];
	if (kept->sp != frame->sp || kept->pc != frame->pc ||
	    (kept->flags & FP_MATTERS && kept->fp != frame->fp))
		return 0;
	return search->cursor;
}

/* False at the end. */
static inline __attribute__((always_inline)) bool next_by(struct search *search,
							  struct step_frame *frame,
							  const struct agent_code *code)
{
	struct agent_walk *walk = &search->walk;
	taddr_t sp = frame->sp;

	if (AGENT_UNLIKELY(search->nr == search->limit)) {
		walk->end = WALK_DEPTH;
		return false;
	}
	note(search, frame, code);
	if (!agent_walk_next(walk, frame, code))
		return false;
	search->is_by_step = is_by_step(frame, &code->rule, sp);
	if (AGENT_UNLIKELY(frame->after_signal)) {
		search->is_kept = false;
		search->cursor = 0;
	}
	return true;
}

/* False at the end. */
static __attribute__((noinline)) bool next_by_any(struct search *search)
{
	agent_walk_look(&search->walk, &search->frame, &search->code);
	return next_by(search, &search->frame, &search->code);
}

#define NOT_PACKED UINT32_MAX

/*
 * Returns the number of frames of the last stack that this one goes on with, 0 at the end; or
 * NOT_PACKED at a frame whose rule the cache cannot say: so this one keeps its frame in registers.
 */
static __attribute__((noinline)) uint32_t walk_until_known(struct search *search)
{
	const struct agent_codes *codes = &search->walk.codes;
	struct step_frame frame = search->frame;
	uint32_t kept = 0;

	while (frame.pc) {
		struct agent_code code;
		uint64_t entry;

		kept = meet(search, &frame);
		if (kept && rest_holds(search, kept - 1))
			break;
		kept = NOT_PACKED;
		entry = agent_code_entry(codes, step_place(&frame));
		if (AGENT_UNLIKELY(!(entry & AGENT_CODE_PACKED)))
			break;
		code = agent_code_unpack(codes->map, entry);
		kept = 0;
		if (!next_by(search, &frame, &code))
			break;
	}
	search->frame = frame;
	return kept;
}

static uint32_t walk(struct search *search)
{
	uint32_t kept = walk_until_known(search);

	while (kept == NOT_PACKED || (kept && !end_holds(search, kept - 1)))
		kept = next_by_any(search) ? walk_until_known(search) : 0;
	if (!kept)
		set_end(search, search->frame.pc);
	return kept;
}

static uint32_t add(uint32_t node, const struct agent_frame *frame)
{
	if (frame->node == AGENT_MODULE)
		return node;
	return agent_tree_add(node, step_code(frame->pc, frame->node, frame->flags & IS_EXACT));
}

static __attribute__((noinline)) uint32_t add_all(const struct search *search)
{
	uint32_t node = search->is_cut ? AGENT_ROOT_CUT : AGENT_ROOT;

	for (uint32_t i = search->nr; i-- > 0;)
		node = add(node, fresh_at(search, i));
	return node;
}

/* Room for the fresh frames behind those kept, the outermost of which must go. */
static uint32_t make_room(struct search *search, uint32_t kept)
{
	struct agent_thread *thread = search->walk.thread;
	struct agent_frame *frames = thread->frames;
	uint32_t most = AGENT_FRAMES - search->nr;
	uint32_t stay = most < AGENT_FRAMES / 2 ? most : AGENT_FRAMES / 2;

	thread->nr_frames = 0;
	agent_order();
	stay = stay < kept ? stay : kept;
	for (uint32_t i = 0; i < stay; i++)
		frames[i] = frames[kept - stay + i];
	frames[0].flags |= OPEN_END | CUT_END;
	search->is_open = true;
	return stay;
}

/* The walk met this frame; what counts from now on is how it got there. */
static void keep_met(const struct search *search, struct agent_frame *met)
{
	met->fp = search->frame.fp;
	met->fp_slot = search->frame.fp_slot;
	met->flags &= ~BY_STEP;
	met->flags |= search->is_by_step ? BY_STEP : 0;
}

/* One more frame inward. */
static uint32_t keep(struct search *search, uint32_t at, const struct agent_frame *fresh,
		     uint32_t node)
{
	struct agent_frame *frame = &search->walk.thread->frames[at];
	bool matters = at ? frame[-1].flags & FP_MATTERS : search->is_open;

	*frame = *fresh;
	frame->node = add(node, fresh);
	frame->flags = fresh->flags & BY_STEP;
	if (fresh->flags & USES_FP || (matters && !(fresh->flags & SAVES_FP)))
		frame->flags |= FP_MATTERS;
	if (!at && search->is_open)
		frame->flags |= OPEN_END | (search->is_cut ? CUT_END : 0);
	return frame->node;
}

static __attribute__((noinline)) uint32_t keep_all(struct search *search, uint32_t kept)
{
	struct agent_thread *thread = search->walk.thread;
	uint32_t node = search->is_cut ? AGENT_ROOT_CUT : AGENT_ROOT, nr = search->nr;

	if (kept)
		node = thread->frames[kept - 1].node;
	thread->nr_frames = kept;
	agent_order();
	if (kept)
		keep_met(search, &thread->frames[kept - 1]);
	if (kept + nr > AGENT_FRAMES)
		kept = make_room(search, kept);
	for (uint32_t i = 0; i < nr; i++)
		node = keep(search, kept + i, fresh_at(search, nr - 1 - i), node);
	thread->generation = search->walk.codes.map->generation;
	agent_order();
	thread->nr_frames = kept + nr;
	return node;
}

/* The last stack, as far as it was found with this map. */
static void recall(struct search *search)
{
	struct agent_thread *thread = search->walk.thread;

	if (thread->generation != search->walk.codes.map->generation)
		thread->nr_frames = 0;
	search->cursor = thread->nr_frames < AGENT_FRAMES ? thread->nr_frames : AGENT_FRAMES;
}

static uint32_t search_node(struct agent_thread *thread, uint32_t level, taddr_t sp, taddr_t fp)
{
	struct search search;
	uint32_t kept;

	if (sp & 7 || !agent_walk_open(&search.walk, thread, sp, fp, &search.frame))
		return AGENT_ROOT;
	search.nr = search.cursor = 0;
	search.is_cut = search.is_open = search.is_by_step = false;
	search.is_kept = level == 1;
	search.fresh = level == 1 ? thread->fresh + AGENT_FRAMES : thread->small + AGENT_SMALL_FRAMES;
	search.limit = level == 1 ? AGENT_FRAMES : AGENT_SMALL_FRAMES;
	if (search.is_kept)
		recall(&search);
	kept = walk(&search);
	if (!search.nr)
		return kept ? thread->frames[kept - 1].node : AGENT_ROOT;
	return search.is_kept ? keep_all(&search, kept) : add_all(&search);
}

/*
 * Hooks under way in this thread, of which this one interrupted the last.  One that a handler
 * has left by longjmp is told by the stack: it lies where this one's caller is now, or its stub
 * is gone.
 */
static __attribute__((noinline)) uint32_t level_at(struct agent_thread *thread, taddr_t sp)
{
	taddr_t word = thread->level_sp - AGENT_STUB_WORD;
	struct agent_bounds bounds;
	struct agent_codes codes;
	bool is_known = agent_bounds_at(thread, sp, &bounds), is_gone;

	if (!agent_bounds_at(thread, word, &bounds))
		is_gone = is_known || word < sp;
	else if (is_known && word < sp)
		is_gone = true;
	else
		is_gone = agent_codes_open(&codes) &&
			  !agent_is_stub(&codes, word);
	return is_gone ? 0 : thread->level;
}

/* level_sp is written twice, for a handler that comes in between. */
static void enter(struct agent_thread *thread, uint32_t level, taddr_t sp)
{
	if (level == 1)
		thread->level_sp = sp;
	agent_order();
	thread->level = level;
	agent_order();
	if (level == 1)
		thread->level_sp = sp;
	agent_order();
}

uint32_t agent_stack_node(struct agent_thread *thread, taddr_t sp, taddr_t fp)
{
	uint32_t level, node;

	if (!thread)
		return AGENT_ROOT_CUT;
	level = AGENT_UNLIKELY(thread->level) ? level_at(thread, sp) : 0;
	if (AGENT_UNLIKELY(level > 1))
		return AGENT_ROOT_CUT;
	enter(thread, level + 1, sp);
	node = search_node(thread, level + 1, sp, fp);
	agent_order();
	thread->level = level;
	return node;
}
