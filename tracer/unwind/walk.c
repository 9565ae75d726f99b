/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Applies the rules frame by frame; the step itself is step.h.  Rules found are cached by
 * address.
 *
 * Termination: sp grows with every step except across a signal frame, whose handler may run
 * on an alternate stack; the depth bounds those.
 */
#include "walk.h"

#include <string.h>

#include "../base/hash.h"

static const uint8_t sigreturn_code[STEP_SIGRETURN_BYTES] = STEP_SIGRETURN_CODE;

struct state {
	struct walker *walker;
	const struct memread *stack;
	struct step_frame frame;
};

void walker_init(struct walker *walker, const struct unwind_map *map)
{
	memset(walker, 0, sizeof(*walker));
	walker->map = map;
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

static bool read_word(void *reader, taddr_t address, taddr_t *word)
{
	const struct state *state = reader;

	return memread_exact(state->stack, address, word, sizeof(*word));
}

static bool is_code(void *reader, taddr_t pc)
{
	return lookup(reader, pc)->executable;
}

static struct step_reader reader_of(struct state *state)
{
	return (struct step_reader){ .reader = state, .read = read_word, .is_code = is_code };
}

/* False at the end, with the reason in *end. */
static bool step(struct state *state, enum walk_end *end)
{
	const struct walk_cache_entry *entry = lookup(state, step_place(&state->frame));
	const struct step_reader by = reader_of(state);
	/* Copied, since is_code() may put another one in its place. */
	struct rule rule = entry->rule;

	return step_outward(&state->frame, &by, &rule, entry->executable, end);
}

static void note_frame(struct walk *out, const struct state *state)
{
	const struct step_frame *frame = &state->frame;
	const struct walk_cache_entry *entry = lookup(state, step_place(frame));
	bool exact = frame->after_signal || entry->rule.kind == RULE_SIGNAL;

	if (frame->after_signal && out->first_signal > out->nr)
		out->first_signal = out->nr;
	out->slots[out->nr] = frame->after_signal ? frame->sp : frame->sp - 8;
	out->frames[out->nr++] = step_code(frame->pc, entry->module, exact);
}

static void collect(struct state *state, uint32_t depth, struct walk *out)
{
	do {
		if (!state->frame.pc) {
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

static void begin(struct walk *out)
{
	out->end = WALK_LOST;
	out->nr = 0;
	out->complex = false;
	out->first_signal = UINT32_MAX;
}

void walk_from_stop(struct walker *walker, const struct memread *stack,
		    const struct unwind_start *start, uint32_t depth, struct walk *out)
{
	struct state state = {
		.walker = walker, .stack = stack,
		.frame = {
			.pc = start->pc, .sp = start->sp, .fp = start->fp, .after_signal = true,
		},
	};

	begin(out);
	collect(&state, depth, out);
}

void walk_from_call(struct walker *walker, const struct memread *stack,
		    const struct unwind_start *start, uint32_t depth, struct walk *out)
{
	struct state state = {
		.walker = walker, .stack = stack,
		.frame = { .sp = start->sp, .fp = start->fp },
	};

	const struct step_reader by = reader_of(&state);

	begin(out);
	if (step_to_cfa(&state.frame, &by, start->sp + 8))
		collect(&state, depth, out);
	if (out->first_signal > out->nr)
		out->first_signal = out->nr;
}
