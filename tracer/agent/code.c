/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Searches the map, and keeps the caches of four maps apart. */
#include "code.h"

#define RENEWING (1ull << 32)		/* in a cache's first word: somebody empties it */

const struct rule agent_rule_none = { .kind = RULE_NONE };

bool agent_codes_renew(uint64_t *cache, uint32_t generation)
{
	uint64_t old = agent_load(&cache[0]);

	/* Somebody does it, or did it for a newer map than ours.  Who began it for an older one
	 * may have been killed. */
	if (old == (RENEWING | generation) || (int32_t)((uint32_t)old - generation) > 0 ||
	    !agent_swap(&cache[0], old, RENEWING | generation))
		return false;
	for (uint32_t i = 1; i < AGENT_CACHE_ENTRIES; i++)
		__atomic_store_n(&cache[i], 0, __ATOMIC_RELAXED);
	return agent_swap(&cache[0], RENEWING | generation, (uint64_t)generation);
}

/* Packed as in an entry; for a table larger than that AGENT_CODE_RULES, with the rule itself. */
static uint32_t rule_of(const struct unwind_range *range, taddr_t place, struct agent_code *code)
{
	uint32_t row, rule;

	if (!lookup_row(range, place, &row))
		return AGENT_CODE_NONE;
	rule = lookup_rule_index(range->rules, row);
	if (rule >= range->rules->nr_rules)
		return AGENT_CODE_NONE;
	code->rule = &rules_table(range->rules)[rule];
	return rule < AGENT_CODE_RULES ? rule : AGENT_CODE_RULES;
}

static void keep(const struct agent_codes *codes, taddr_t place, uint64_t range, uint32_t rule)
{
	uint32_t generation = codes->map->generation, index = agent_code_index(place);
	uint64_t entry = agent_code_tag(place, generation) | range << 12 | rule;

	if (!codes->cache || !index || !agent_code_fits(place) || rule == AGENT_CODE_RULES)
		return;
	__atomic_store_n(&codes->cache[index], entry, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&codes->cache[0], __ATOMIC_SEQ_CST) != generation)
		agent_swap(&codes->cache[index], entry, 0);
}

__attribute__((noinline))
struct agent_code agent_code_search(const struct agent_codes *codes, taddr_t place)
{
	const struct agent_map *map = codes->map;
	const struct unwind_range *range = lookup_range(map->ranges, map->nr, place);
	struct agent_code code = { .rule = &agent_rule_none, .is_code = range };
	uint64_t number = AGENT_CODE_RANGES;
	uint32_t rule = AGENT_CODE_NONE;

	if (range) {
		number = (uint64_t)(range - map->ranges);
		code.module = range->module;
		rule = rule_of(range, place, &code);
	}
	if (number < AGENT_CODE_RANGES || !range)
		keep(codes, place, number, rule);
	return code;
}
