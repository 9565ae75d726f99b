/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ranges of executable memory, and what the rules say of an address. */
#include "map.h"

#include <stdlib.h>

#include "../base/array.h"
#include "lookup.h"

void unwind_map_clear(struct unwind_map *map)
{
	map->nr = 0;
	map->generation++;
}

void unwind_map_deinit(struct unwind_map *map)
{
	free(map->items);
	*map = (struct unwind_map){ 0 };
}

int unwind_map_add(struct unwind_map *map, const struct unwind_range *range)
{
	if (ARRAY_GROW(map))
		return -ENOMEM;
	map->items[map->nr++] = *range;
	return 0;
}

static int compare_ranges(const void *a, const void *b)
{
	const struct unwind_range *left = a, *right = b;

	return (left->start > right->start) - (left->start < right->start);
}

void unwind_map_sort(struct unwind_map *map)
{
	if (map->nr)
		qsort(map->items, map->nr, sizeof(*map->items), compare_ranges);
	map->generation++;
}

const struct unwind_range *unwind_map_find(const struct unwind_map *map, taddr_t pc)
{
	return lookup_range(map->items, map->nr, pc);
}

static struct rule row_rule(const struct rules *rules, uint32_t row)
{
	uint32_t index = lookup_rule_index(rules, row);

	return index < rules->nr_rules ? rules_table(rules)[index] : (struct rule){ 0 };
}

struct rule unwind_rule_at(const struct unwind_range *range, taddr_t pc)
{
	uint32_t row;

	return lookup_row(range, pc, &row) ? row_rule(range->rules, row) : (struct rule){ 0 };
}

bool unwind_function_at(const struct unwind_range *range, taddr_t pc, taddr_t *start,
			taddr_t *end)
{
	const struct rules *rules = range->rules;
	taddr_t base;
	uint32_t row;

	if (!lookup_row(range, pc, &row) || row_rule(rules, row).kind == RULE_NONE)
		return false;
	base = range->bias + rules->base_vaddr;
	while (row && !(rules_indexes(rules)[row] & RULES_FUNCTION))
		row--;
	*start = base + rules_pcs(rules)[row];
	do {
		row++;
	} while (row < rules->nr_rows && !(rules_indexes(rules)[row] & RULES_FUNCTION) &&
		 row_rule(rules, row).kind != RULE_NONE);
	*end = row < rules->nr_rows ? base + rules_pcs(rules)[row] : range->end;
	return true;
}
