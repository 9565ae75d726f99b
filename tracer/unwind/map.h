/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which module covers an address, and with which unwind rules: all that the walker knows of
 * the target's code.  Sorted ranges that do not overlap; lookups by binary search.
 *
 * Ownership: the map keeps pointers to rules that must outlive their ranges.  One thread.
 */
#ifndef MEMTRACE_UNWIND_MAP_H
#define MEMTRACE_UNWIND_MAP_H

#include "../../symbolizer/rules.h"
#include "../base/types.h"

struct unwind_range {			/* executable memory */
	taddr_t start, end;
	uint64_t bias;			/* vaddr + bias = address */
	const struct rules *rules;	/* NULL: none */
	uint32_t module;		/* 0: in no module, as generated code */
};

struct unwind_map {
	struct unwind_range *items;
	size_t nr, room;
	uint64_t generation;		/* changes with the map: caches are stale then */
};

void unwind_map_clear(struct unwind_map *map);
void unwind_map_deinit(struct unwind_map *map);

/* Ranges may be added in any order; unwind_map_sort() comes before the first lookup. */
int unwind_map_add(struct unwind_map *map, const struct unwind_range *range);
void unwind_map_sort(struct unwind_map *map);

/* NULL: not executable memory. */
const struct unwind_range *unwind_map_find(const struct unwind_map *map, taddr_t pc);

/* The rule that holds at pc; RULE_NONE where there is none. */
struct rule unwind_rule_at(const struct unwind_range *range, taddr_t pc);

/* Bounds of the function (FDE) around pc; false where no unwind data covers it. */
bool unwind_function_at(const struct unwind_range *range, taddr_t pc, taddr_t *start,
			taddr_t *end);

#endif
