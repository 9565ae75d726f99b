/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See inside.h. */
#include "inside.h"

/* glibc hands out 24, 40, 56... bytes: the least that fits, where what was asked for is unknown. */
#define LEAST_USABLE 24
#define ROUNDING 16

static bool fits(const struct scan_block *block, uint64_t wanted)
{
	if (!block->usable || wanted > block->size)
		return wanted == block->size;
	return block->size == LEAST_USABLE || block->size - wanted < ROUNDING;
}

static bool is_string(const struct space *space, const struct scan_block *block)
{
	uint64_t length, capacity;

	return space_word(space, block->address, &length) &&
	       space_word(space, block->address + 8, &capacity) && length <= capacity &&
	       capacity < block->size && fits(block, 24 + capacity + 1);
}

static bool has_length(const struct space *space, const struct scan_block *block)
{
	uint64_t length;

	return space_word(space, block->address, &length) && length < block->size &&
	       fits(block, 8 + length);
}

/* new T[0] of what has a destructor: nothing but the number. */
static bool is_array(const struct space *space, const struct scan_block *block)
{
	uint64_t nr;

	if (block->size < 8 || !space_word(space, block->address, &nr))
		return false;
	if (!nr)
		return fits(block, 8);
	return nr <= block->size - 8 && fits(block, 8 + (block->size - 8) / nr * nr);
}

/* The two tables of one class have one type_info, and each knows how far it is to the top. */
static bool is_base(const struct space *space, const struct scan_block *block, taddr_t pointer)
{
	uint64_t table, own_type, own_top, base, type, top;

	return !(pointer & 7) && space_word(space, block->address, &table) &&
	       space_word(space, pointer, &base) && table != base &&
	       space_word(space, table - 8, &own_type) && space_word(space, table - 16, &own_top) &&
	       space_word(space, base - 8, &type) && space_word(space, base - 16, &top) &&
	       own_type == type && !own_top && top == block->address - pointer;
}

bool inside_counts(const struct space *space, const struct scan_block *block, taddr_t pointer,
		   unsigned heuristics)
{
	uint64_t offset = pointer - block->address;

	if (offset == 8 && ((heuristics & INSIDE_LENGTH64 && has_length(space, block)) ||
			    (heuristics & INSIDE_NEWARRAY && is_array(space, block))))
		return true;
	if (offset == 24 && heuristics & INSIDE_STDSTRING && is_string(space, block))
		return true;
	return heuristics & INSIDE_MULTIPLEINHERITANCE && is_base(space, block, pointer);
}
