/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The searches behind map.h, also compiled into the agent: a range by address, a row of its
 * rules by address.  Freestanding; pure; nothing outside the arrays handed in is read,
 * whatever a file made the rules say.
 */
#ifndef MEMTRACE_UNWIND_LOOKUP_H
#define MEMTRACE_UNWIND_LOOKUP_H

#include "map.h"

/* NULL: not executable memory. */
static inline const struct unwind_range *lookup_range(const struct unwind_range *ranges,
						      size_t nr, taddr_t pc)
{
	size_t low = 0, high = nr;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (pc < ranges[middle].start)
			high = middle;
		else if (pc >= ranges[middle].end)
			low = middle + 1;
		else
			return &ranges[middle];
	}
	return NULL;
}

/* Last row at or below the offset, which is not below the first one's. */
static inline uint32_t lookup_offset(const struct rules *rules, uint32_t offset)
{
	const uint32_t *pcs = rules_pcs(rules);
	uint32_t low = 0, high = rules->nr_rows;

	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (pcs[middle] <= offset)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* Index of the last row at or below pc; false if pc lies before the first one. */
static inline bool lookup_row(const struct unwind_range *range, taddr_t pc, uint32_t *row)
{
	const struct rules *rules = range->rules;
	uint64_t offset;

	if (!rules || !rules->nr_rows)
		return false;
	offset = pc - range->bias - rules->base_vaddr;
	if (offset > UINT32_MAX || offset < rules_pcs(rules)[0])
		return false;
	*row = lookup_offset(rules, (uint32_t)offset);
	return true;
}

/* Index of a row's rule in the table; nr_rules or more if it is not valid. */
static inline uint32_t lookup_rule_index(const struct rules *rules, uint32_t row)
{
	return rules_indexes(rules)[row] & RULES_INDEX;
}

#endif
