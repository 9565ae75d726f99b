/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Applies the rules frame by frame.  Three registers are followed: pc, sp and rbp; every rule
 * that needs another one is RULE_COMPLEX and ends the walk.
 *
 * Termination: sp grows with every step except across a signal frame, whose handler may run
 * on an alternate stack; the depth bounds those.
 */
#include "walk.h"

#include <string.h>

#include "../base/hash.h"

/* Offsets in the kernel's struct rt_sigframe after its return address, i.e. at struct ucontext:
 * uc_flags, uc_link, uc_stack (40 bytes), then struct sigcontext; arch/x86/include/uapi/asm. */
#define UCONTEXT_RBP 120
#define UCONTEXT_RSP 160
#define UCONTEXT_RIP 168

/* mov $__NR_rt_sigreturn,%rax; syscall: both glibc's and musl's restorer, by which every
 * unwinder knows a signal frame where there is no unwind data. */
static const uint8_t sigreturn_code[] = { 0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05 };

struct state {
	struct walker *walker;
	const struct memread *stack;
	taddr_t pc, sp, fp;
	bool after_signal;	/* pc is an instruction that was interrupted, not a return address */
};

void walker_init(struct walker *walker, const struct unwind_map *map)
{
	memset(walker, 0, sizeof(*walker));
	walker->map = map;
}

static bool read_word(const struct state *state, taddr_t address, taddr_t *word)
{
	return memread_exact(state->stack, address, word, sizeof(*word));
}

bool walk_is_sigreturn(const struct memread *memory, taddr_t pc)
{
	uint8_t code[sizeof(sigreturn_code)];

	return memread_exact(memory, pc, code, sizeof(code)) &&
	       !memcmp(code, sigreturn_code, sizeof(code));
}

static void fill(const struct state *state, struct walk_cache_entry *entry, taddr_t place)
{
	const struct unwind_range *range = unwind_map_find(state->walker->map, place);

	*entry = (struct walk_cache_entry){ .place = place };
	if (!range)
		return;
	entry->executable = true;
	entry->module = range->module;
	/* A handler's return address is the trampoline's first byte. */
	if (walk_is_sigreturn(state->stack, place + 1))
		entry->rule.kind = RULE_SIGNAL;
	else
		entry->rule = unwind_rule_at(range, place);
}

static const struct walk_cache_entry *lookup(const struct state *state, taddr_t place)
{
	struct walker *walker = state->walker;
	struct walk_cache_entry *entry = &walker->cache[hash_u64(place) % WALK_CACHE_ENTRIES];

	if (walker->generation != walker->map->generation) {
		memset(walker->cache, 0, sizeof(walker->cache));
		walker->generation = walker->map->generation;
	}
	if (entry->place != place)
		fill(state, entry, place);
	return entry;
}

/* The address by which code is looked up: that of the call, not of what follows it. */
static taddr_t place_of(const struct state *state)
{
	return state->after_signal ? state->pc : state->pc - 1;
}

/* The frame whose CFA is known: its return address lies just below. */
static bool step_to_cfa(struct state *state, taddr_t cfa, taddr_t fp)
{
	taddr_t pc;

	if (cfa <= state->sp || cfa & 7 || !read_word(state, cfa - 8, &pc))
		return false;
	state->pc = pc;
	state->sp = cfa;
	state->fp = fp;
	return true;
}

static bool step_by_rule(struct state *state, const struct rule *rule)
{
	taddr_t base = rule->cfa_register == RULE_RBP ? state->fp : state->sp;
	taddr_t cfa = base + (int64_t)rule->cfa_offset;
	taddr_t fp = state->fp;

	if (rule->kind == RULE_CFA_DEREF) {
		if (!read_word(state, cfa, &cfa))
			return false;
		cfa += (int64_t)rule->deref_add;
	}
	if (rule->rbp_saved && !read_word(state, cfa + (int64_t)rule->rbp_offset, &fp))
		return false;
	return step_to_cfa(state, cfa, fp);
}

/* The stub pushes one word; from a certain offset on it has done so. */
static bool step_from_plt(struct state *state, const struct rule *rule)
{
	bool pushed = (state->pc & 15) >= (uint32_t)rule->cfa_offset;

	return step_to_cfa(state, state->sp + 8 + (pushed ? 8 : 0), state->fp);
}

static bool step_from_signal(struct state *state)
{
	taddr_t context = state->sp, pc, sp, fp;

	if (!read_word(state, context + UCONTEXT_RIP, &pc) ||
	    !read_word(state, context + UCONTEXT_RSP, &sp) ||
	    !read_word(state, context + UCONTEXT_RBP, &fp))
		return false;
	state->pc = pc;
	state->sp = sp;
	state->fp = fp;
	state->after_signal = true;
	return true;
}

/*
 * No unwind data: believe rbp if it points up this stack at a pair of words that look like
 * a saved rbp and a return address into executable memory.
 */
static bool step_by_frame_pointer(struct state *state)
{
	taddr_t fp = state->fp, saved, pc;

	if (fp < state->sp || fp - state->sp > 1 << 20 || fp & 7 ||
	    !read_word(state, fp, &saved) || !read_word(state, fp + 8, &pc) ||
	    !lookup(state, pc - 1)->executable)
		return false;
	return step_to_cfa(state, fp + 16, saved);
}

/* False at the end, with the reason in *end. */
static bool step(struct state *state, enum walk_end *end)
{
	const struct walk_cache_entry *entry = lookup(state, place_of(state));
	struct rule rule = entry->rule;
	bool executable = entry->executable;

	state->after_signal = false;
	*end = WALK_LOST;
	switch (rule.kind) {
	case RULE_CFA:
	case RULE_CFA_DEREF:
		return step_by_rule(state, &rule);
	case RULE_PLT:
		return step_from_plt(state, &rule);
	case RULE_SIGNAL:
		return step_from_signal(state);
	case RULE_END:
		*end = WALK_OUTERMOST;
		return false;
	case RULE_COMPLEX:
		*end = WALK_COMPLEX;
		return false;
	default:
		return executable && step_by_frame_pointer(state);
	}
}

static void note_frame(struct walk *out, const struct state *state)
{
	const struct walk_cache_entry *entry = lookup(state, place_of(state));
	/* What is no return address is named as one is: by the byte before it. */
	bool exact = state->after_signal || entry->rule.kind == RULE_SIGNAL;

	if (state->after_signal && out->first_signal > out->nr)
		out->first_signal = out->nr;
	out->slots[out->nr] = state->after_signal ? state->sp : state->sp - 8;
	out->frames[out->nr++] = code_make(entry->module, exact ? state->pc + 1 : state->pc);
}

static void collect(struct state *state, const struct unwind_start *start, uint32_t depth,
		    struct walk *out)
{
	out->end = WALK_LOST;
	if (!step_to_cfa(state, start->sp + 8, start->fp))
		return;
	do {
		if (!state->pc) {
			/* clone() and some start code leave a zero as the outermost address. */
			out->end = WALK_OUTERMOST;
			return;
		}
		if (out->nr == depth) {
			out->end = WALK_DEPTH;
			return;
		}
		note_frame(out, state);
	} while (step(state, &out->end));
}

void walk_from_call(struct walker *walker, const struct memread *stack,
		    const struct unwind_start *start, uint32_t depth, struct walk *out)
{
	struct state state = {
		.walker = walker, .stack = stack, .sp = start->sp, .fp = start->fp,
	};

	out->nr = 0;
	out->complex = false;
	out->first_signal = UINT32_MAX;
	collect(&state, start, depth, out);
	if (out->first_signal > out->nr)
		out->first_signal = out->nr;
}
