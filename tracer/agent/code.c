/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Searches the map, and keeps the caches of four maps apart. */
#include "code.h"

#define RENEWING (1ull << 32)		/* in a cache's first word: somebody empties it */

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

/* 0: it does not fit. */
static uint32_t pack(const struct rule *rule)
{
	uint32_t by_rbp = rule->cfa_register == RULE_RBP ? AGENT_CODE_BY_RBP : 0;
	uint32_t cfa = (uint32_t)rule->cfa_offset / 8, rbp = -(uint32_t)rule->rbp_offset / 8;
	uint32_t packed = AGENT_CODE_PACKED | by_rbp | cfa << 6;
	bool is_packable = rule->kind == RULE_CFA && cfa <= AGENT_CODE_CFA_MAX &&
			   !(rule->cfa_offset & 7);

	if (is_packable && rule->rbp_saved == RULE_UNSAVED)
		return packed;
	if (is_packable && rule->rbp_saved == RULE_SAVED_AT_CFA && rbp && !(rule->rbp_offset & 7) &&
	    rbp <= AGENT_CODE_RBP_MAX)
		return packed | rbp;
	return 0;
}

/* As an entry has it; with the rule itself. */
static uint32_t rule_of(const struct unwind_range *range, taddr_t place, struct rule *rule)
{
	uint32_t row, number, packed;

	if (!lookup_row(range, place, &row))
		return AGENT_CODE_NONE;
	number = lookup_rule_index(range->rules, row);
	if (number >= range->rules->nr_rules)
		return AGENT_CODE_NONE;
	*rule = rules_table(range->rules)[number];
	packed = pack(rule);
	return packed ? packed : number;
}

static void keep(const struct agent_codes *codes, taddr_t place, uint64_t range, uint32_t rule)
{
	uint32_t generation = codes->map->generation, index = agent_code_index(place);
	uint64_t entry = agent_code_tag(place, generation) << AGENT_CODE_TAG_SHIFT |
			 range << AGENT_CODE_RANGE_SHIFT | rule;

	if (!codes->cache || !index || !agent_code_fits(place))
		return;
	__atomic_store_n(&codes->cache[index], entry, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&codes->cache[0], __ATOMIC_SEQ_CST) != generation)
		agent_swap(&codes->cache[index], entry, 0);
}

/* Without the cache, into which it puts the answer. */
static void search(const struct agent_codes *codes, taddr_t place, struct agent_code *code)
{
	const struct agent_map *map = codes->map;
	const struct unwind_range *range = lookup_range(map->ranges, map->nr, place);
	uint64_t number = AGENT_CODE_RANGES;
	uint32_t rule = AGENT_CODE_NONE;

	*code = (struct agent_code){ .rule.kind = RULE_NONE, .is_code = range };
	if (range) {
		number = (uint64_t)(range - map->ranges);
		code->module = range->module;
		rule = rule_of(range, place, &code->rule);
	}
	if (number < AGENT_CODE_RANGES || !range)
		keep(codes, place, number, rule);
}

static struct agent_code code_of(const struct agent_map *map, uint64_t entry)
{
	uint32_t range = agent_code_range(entry), rule = entry & RULES_INDEX;
	struct agent_code code = { .rule.kind = RULE_NONE };

	if (range == AGENT_CODE_RANGES)
		return code;
	code.is_code = true;
	code.module = map->ranges[range].module;
	if (rule != AGENT_CODE_NONE)
		code.rule = rules_table(map->ranges[range].rules)[rule];
	return code;
}

void agent_code_at(const struct agent_codes *codes, taddr_t place, struct agent_code *code)
{
	uint64_t entry = agent_code_entry(codes, place);

	if (AGENT_UNLIKELY(!entry))
		search(codes, place, code);
	else
		*code = entry & AGENT_CODE_PACKED ? agent_code_unpack(codes->map, entry) :
						    code_of(codes->map, entry);
}
