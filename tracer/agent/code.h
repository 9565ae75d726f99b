/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the map says of a place in the code: module and unwind rule, through a cache of answers.
 * The code itself is never read: it may be gone before the map says so.
 *
 *   entry   63..30 place >> 14   29..23 generation / AGENT_CACHES   22..12 range   11..0 rule
 *
 * The low 14 bits of the place follow from where the entry is.  An entry is one word, so it is
 * right or not there.  The first word of a cache is the generation that it was emptied for; the
 * bits in the entry are for writers of an older one that come late: they would have to be late
 * by 512 maps.  Whatever does not fit is looked up each time.
 */
#ifndef MEMTRACE_AGENT_CODE_H
#define MEMTRACE_AGENT_CODE_H

#include "../unwind/lookup.h"
#include "state.h"

struct agent_code {
	const struct rule *rule;	/* never NULL */
	uint32_t module;
	bool is_code;
};

/* The map of one walk, and its cache; NULL: it must not be used. */
struct agent_codes {
	const struct agent_map *map;
	uint64_t *cache;
};

extern const struct rule agent_rule_none __attribute__((visibility("hidden")));

#define AGENT_CODE_LOW_BITS 14
#define AGENT_CODE_RANGES 0x7ffu	/* this one: not executable memory */
#define AGENT_CODE_RULES 0xffeu		/* fewer: rules of the range's table */
#define AGENT_CODE_NONE 0xfffu

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
	return place >> AGENT_CODE_LOW_BITS << 30 |
	       (uint64_t)(generation / AGENT_CACHES & 0x7f) << 23;
}

/* Neither in the first page, where an empty entry would look like an answer, nor beyond what
 * 48 bits can say. */
static inline bool agent_code_fits(taddr_t place)
{
	return place >> AGENT_CODE_LOW_BITS && !(place >> CODE_ADDRESS_BITS);
}

/* Without the cache, into which it puts the answer. */
struct agent_code agent_code_search(const struct agent_codes *codes, taddr_t place);

static inline struct agent_code agent_code_unpack(const struct agent_map *map, uint32_t range,
						  uint32_t rule)
{
	struct agent_code code = { .rule = &agent_rule_none };

	if (range == AGENT_CODE_RANGES)
		return code;
	code.is_code = true;
	code.module = map->ranges[range].module;
	if (AGENT_LIKELY(rule < AGENT_CODE_RULES))
		code.rule = &rules_table(map->ranges[range].rules)[rule];
	return code;
}

static inline struct agent_code agent_code_at(const struct agent_codes *codes, taddr_t place)
{
	uint32_t index = agent_code_index(place);
	uint64_t entry;

	if (AGENT_UNLIKELY(!codes->cache || !index || !agent_code_fits(place)))
		return agent_code_search(codes, place);
	entry = __atomic_load_n(&codes->cache[index], __ATOMIC_RELAXED);
	if (AGENT_UNLIKELY(entry >> 23 << 23 != agent_code_tag(place, codes->map->generation)))
		return agent_code_search(codes, place);
	return agent_code_unpack(codes->map, entry >> 12 & 0x7ff, entry & 0xfff);
}

#endif
