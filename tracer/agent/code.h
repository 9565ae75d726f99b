/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the map says of a place in the code: module and unwind rule, through a cache of answers.
 * The code itself is never read: it may be gone before the map says so.
 *
 *   entry   63..31 place >> 14   30..27 generation / AGENT_CACHES   26..16 range   15..0 rule
 *   rule    15 set:   14 the CFA is from rbp, 13..6 its offset / 8, 5..0 rbp is at CFA - 8 * this
 *           15 clear: number in the range's table, or AGENT_CODE_NONE
 *
 * Nearly every rule fits its entry, so that a walk waits for memory once a frame, not four times.
 * The low 14 bits of the place follow from where the entry is.  An entry is one word, so it is
 * right or not there.  The first word of a cache is the generation that it was emptied for; the
 * bits in the entry are for writers of an older one that come late: they would have to be late
 * by 64 maps.  Whatever does not fit is looked up each time.
 */
#ifndef MEMTRACE_AGENT_CODE_H
#define MEMTRACE_AGENT_CODE_H

#include "../unwind/lookup.h"
#include "state.h"

struct agent_code {
	struct rule rule;
	uint32_t module;
	bool is_code;
};

/* The map of one walk, and its cache; NULL: it must not be used. */
struct agent_codes {
	const struct agent_map *map;
	uint64_t *cache;
};

#define AGENT_CODE_LOW_BITS 14
#define AGENT_CODE_TAG_SHIFT 27
#define AGENT_CODE_RANGE_SHIFT 16
#define AGENT_CODE_PLACE_BITS 47	/* user space */
#define AGENT_CODE_RANGES 0x7ffu	/* this one: not executable memory */
#define AGENT_CODE_NONE RULES_INDEX	/* no rule of a table has this number */
#define AGENT_CODE_PACKED 0x8000u
#define AGENT_CODE_BY_RBP 0x4000u
#define AGENT_CODE_CFA_MAX 0xff
#define AGENT_CODE_RBP_MAX 0x3f

_Static_assert(AGENT_CACHE_ENTRIES == 1 << AGENT_CODE_LOW_BITS, "an entry's place is 14 bits");

/* Makes the cache ready where it is of an older map. */
bool agent_codes_renew(uint64_t *cache, uint32_t generation);

/* False: there is no map. */
static inline bool agent_codes_open(struct agent_codes *codes)
{
	uint64_t map = agent_load(&agent_state.shared->map);
	uint32_t generation;

	codes->map = (const struct agent_map *)(uintptr_t)map;
	if (AGENT_UNLIKELY(!map))
		return false;
	generation = codes->map->generation;
	codes->cache = agent_state.caches[generation % AGENT_CACHES];
	if (AGENT_UNLIKELY(agent_load(&codes->cache[0]) != generation) &&
	    !agent_codes_renew(codes->cache, generation))
		codes->cache = NULL;
	return true;
}

static inline uint32_t agent_code_index(taddr_t place)
{
	return (uint32_t)(place ^ place >> 14 ^ place >> 28) & (AGENT_CACHE_ENTRIES - 1);
}

/* What all entries for this place in this map have in common. */
static inline uint64_t agent_code_tag(taddr_t place, uint32_t generation)
{
	return place >> AGENT_CODE_LOW_BITS << 4 | (generation / AGENT_CACHES & 0xf);
}

/* Neither in the first page, where an empty entry would look like an answer, nor beyond what
 * an entry can say. */
static inline bool agent_code_fits(taddr_t place)
{
	return place >> AGENT_CODE_LOW_BITS && !(place >> AGENT_CODE_PLACE_BITS);
}

/* What is known of a place; 0: nothing, or nothing that an entry can say. */
static inline uint64_t agent_code_entry(const struct agent_codes *codes, taddr_t place)
{
	uint32_t index = agent_code_index(place);
	uint64_t entry;

	if (AGENT_UNLIKELY(!codes->cache || !index || !agent_code_fits(place)))
		return 0;
	entry = __atomic_load_n(&codes->cache[index], __ATOMIC_RELAXED);
	return AGENT_LIKELY(entry >> AGENT_CODE_TAG_SHIFT ==
			    agent_code_tag(place, codes->map->generation)) ? entry : 0;
}

static inline uint32_t agent_code_range(uint64_t entry)
{
	return entry >> AGENT_CODE_RANGE_SHIFT & AGENT_CODE_RANGES;
}

/* Of an entry with AGENT_CODE_PACKED. */
static inline struct agent_code agent_code_unpack(const struct agent_map *map, uint64_t entry)
{
	int32_t cfa = (int32_t)(entry >> 6 & AGENT_CODE_CFA_MAX) * 8;
	int32_t rbp = (int32_t)(entry & AGENT_CODE_RBP_MAX) * -8;

	return (struct agent_code){
		.rule.kind = RULE_CFA,
		.rule.cfa_register = entry & AGENT_CODE_BY_RBP ? RULE_RBP : RULE_RSP,
		.rule.cfa_offset = cfa,
		.rule.rbp_saved = rbp ? RULE_SAVED_AT_CFA : RULE_UNSAVED,
		.rule.rbp_offset = rbp,
		.module = map->ranges[agent_code_range(entry)].module,
		.is_code = true,
	};
}

void agent_code_at(const struct agent_codes *codes, taddr_t place, struct agent_code *code);

#endif
