/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One step of a walk: from a frame to its caller's, by the rule that holds at its pc.  Three
 * registers are followed: pc, sp and rbp; every rule that needs another one is RULE_COMPLEX.
 * The tracer's walker and the agent's are both made of this.
 *
 * Freestanding.  Memory is read and code is judged by two functions of the caller's, which
 * are inlined.  On failure the frame is left as it was.
 */
#ifndef MEMTRACE_UNWIND_STEP_H
#define MEMTRACE_UNWIND_STEP_H

#include "../../symbolizer/rules.h"
#include "../base/types.h"

enum walk_end {
	WALK_OUTERMOST,		/* the outermost frame says that it is */
	WALK_DEPTH,		/* as many frames as asked for; there may be more */
	WALK_LOST,		/* no unwind data and no plausible frame pointer */
	WALK_COMPLEX,		/* a rule that only the full unwinder can apply */
};

struct step_frame {
	taddr_t pc, sp, fp;
	taddr_t fp_slot;	/* where the last step read fp; 0: it left it as it was */
	bool after_signal;	/* pc is an instruction that was interrupted, not a return address */
};

/* Both false where they cannot tell. */
typedef bool step_read(void *reader, taddr_t address, taddr_t *word);
typedef bool step_is_code(void *reader, taddr_t pc);

struct step_reader {
	void *reader;
	step_read *read;
	step_is_code *is_code;
};

#define STEP_INLINE static inline __attribute__((always_inline))

/* Offsets in the kernel's struct rt_sigframe after its return address, i.e. at struct ucontext:
 * uc_flags, uc_link, uc_stack (40 bytes), then struct sigcontext; arch/x86/include/uapi/asm. */
#define STEP_UCONTEXT_RBP 120
#define STEP_UCONTEXT_RSP 160
#define STEP_UCONTEXT_RIP 168

/* mov $__NR_rt_sigreturn,%rax; syscall: both glibc's and musl's restorer, by which every
 * unwinder knows a signal frame where there is no unwind data. */
#define STEP_SIGRETURN_CODE { 0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05 }
#define STEP_SIGRETURN_BYTES 9

/* The address by which code is looked up: that of the call, not of what follows it. */
STEP_INLINE taddr_t step_place(const struct step_frame *frame)
{
	return frame->after_signal ? frame->pc : frame->pc - 1;
}

/* The frame as it is recorded: what is no return address is named as one is, by the byte
 * before it. */
STEP_INLINE code_t step_code(taddr_t pc, uint32_t module, bool is_exact)
{
	return code_make(module, is_exact ? pc + 1 : pc);
}

/* The frame whose CFA is known: its return address lies just below. */
STEP_INLINE bool step_to_cfa(struct step_frame *frame, const struct step_reader *by, taddr_t cfa)
{
	taddr_t pc;

	if (cfa <= frame->sp || cfa & 7 || !by->read(by->reader, cfa - 8, &pc))
		return false;
	frame->pc = pc;
	frame->sp = cfa;
	frame->fp_slot = 0;
	frame->after_signal = false;
	return true;
}

/* The same where rbp was saved. */
STEP_INLINE bool step_to_saved(struct step_frame *frame, const struct step_reader *by, taddr_t cfa,
			       taddr_t fp_slot)
{
	taddr_t fp;

	if (!by->read(by->reader, fp_slot, &fp) || !step_to_cfa(frame, by, cfa))
		return false;
	frame->fp = fp;
	frame->fp_slot = fp_slot;
	return true;
}

STEP_INLINE bool step_by_rule(struct step_frame *frame, const struct step_reader *by,
			      const struct rule *rule)
{
	taddr_t base = rule->cfa_register == RULE_RBP ? frame->fp : frame->sp;
	taddr_t cfa = base + (int64_t)rule->cfa_offset;

	if (rule->kind == RULE_CFA_DEREF) {
		if (!by->read(by->reader, cfa, &cfa))
			return false;
		cfa += (int64_t)rule->deref_add;
	}
	if (!rule->rbp_saved)
		return step_to_cfa(frame, by, cfa);
	base = rule->rbp_saved == RULE_SAVED_AT_RBP ? frame->fp : cfa;
	return step_to_saved(frame, by, cfa, base + (int64_t)rule->rbp_offset);
}

/* The stub pushes one word; from a certain offset on it has done so. */
STEP_INLINE bool step_from_plt(struct step_frame *frame, const struct step_reader *by,
			       const struct rule *rule)
{
	bool pushed = (frame->pc & 15) >= (uint32_t)rule->cfa_offset;

	return step_to_cfa(frame, by, frame->sp + 8 + (pushed ? 8 : 0));
}

STEP_INLINE bool step_from_signal(struct step_frame *frame, const struct step_reader *by)
{
	taddr_t context = frame->sp, pc, sp, fp;

	if (!by->read(by->reader, context + STEP_UCONTEXT_RIP, &pc) ||
	    !by->read(by->reader, context + STEP_UCONTEXT_RSP, &sp) ||
	    !by->read(by->reader, context + STEP_UCONTEXT_RBP, &fp))
		return false;
	*frame = (struct step_frame){
		.pc = pc, .sp = sp, .fp = fp, .fp_slot = context + STEP_UCONTEXT_RBP,
		.after_signal = true,
	};
	return true;
}

/*
 * No unwind data: believe rbp if it points up this stack at a pair of words that look like
 * a saved rbp and a return address into executable memory.
 */
STEP_INLINE bool step_by_frame_pointer(struct step_frame *frame, const struct step_reader *by)
{
	taddr_t fp = frame->fp, pc;

	if (fp < frame->sp || fp - frame->sp > 1 << 20 || fp & 7 ||
	    !by->read(by->reader, fp + 8, &pc) || !by->is_code(by->reader, pc - 1))
		return false;
	return step_to_saved(frame, by, fp + 16, fp);
}

/* False at the end, with the reason in *end.  is_code: the frame's pc is in executable memory. */
STEP_INLINE bool step_outward(struct step_frame *frame, const struct step_reader *by,
			      const struct rule *rule, bool is_code, enum walk_end *end)
{
	*end = WALK_LOST;
	switch (rule->kind) {
	case RULE_CFA:
	case RULE_CFA_DEREF:
		return step_by_rule(frame, by, rule);
	case RULE_PLT:
		return step_from_plt(frame, by, rule);
	case RULE_SIGNAL:
		return step_from_signal(frame, by);
	case RULE_END:
		*end = WALK_OUTERMOST;
		return false;
	case RULE_COMPLEX:
		*end = WALK_COMPLEX;
		return false;
	default:
		return is_code && step_by_frame_pointer(frame, by);
	}
}

#endif
