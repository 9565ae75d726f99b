/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ranges of executable memory, and the lookup of a row in a module's rules. */
#include "map.h"

#include <stdlib.h>

#include "../base/array.h"

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
	size_t low = 0, high = map->nr;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (pc < map->items[middle].start)
			high = middle;
		else if (pc >= map->items[middle].end)
			low = middle + 1;
		else
			return &map->items[middle];
	}
	return NULL;
}

/* Index of the last row at or below pc; false if pc lies before the first one. */
static bool find_row(const struct unwind_range *range, taddr_t pc, uint32_t *row)
{
	const struct rules *rules = range->rules;
	const uint32_t *pcs;
	uint32_t low = 0, high;
	uint64_t offset;

	if (!rules || !rules->nr_rows)
		return false;
	pcs = rules_pcs(rules);
	offset = pc - range->bias - rules->base_vaddr;
	if (offset > UINT32_MAX || offset < pcs[0])
		return false;
	high = rules->nr_rows;
	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (pcs[middle] <= offset)
			low = middle;
		else
			high = middle;
	}
	*row = low;
	return true;
}

static struct rule row_rule(const struct rules *rules, uint32_t row)
{
	uint32_t index = rules_indexes(rules)[row] & RULES_INDEX;

	return index < rules->nr_rules ? rules_table(rules)[index] : (struct rule){ 0 };
}

struct rule unwind_rule_at(const struct unwind_range *range, taddr_t pc)
{
	uint32_t row;

	return find_row(range, pc, &row) ? row_rule(range->rules, row) : (struct rule){ 0 };
}

bool unwind_function_at(const struct unwind_range *range, taddr_t pc, taddr_t *start,
			taddr_t *end)
{
	const struct rules *rules = range->rules;
	taddr_t base;
	uint32_t row;

	if (!find_row(range, pc, &row) || row_rule(rules, row).kind == RULE_NONE)
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
