/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A sorted array; `reach` tells a search how far back an enclosing range may still begin. */
#include <stdlib.h>

#include "../tracer/base/array.h"
#include "ranges.h"

int ranges_add(struct ranges *ranges, struct range range)
{
	if (range.low >= range.high)
		return 0;
	if (ARRAY_GROW(ranges))
		return -ENOMEM;
	ranges->items[ranges->nr++] = range;
	return 0;
}

static int compare(const void *one, const void *other)
{
	const struct range *a = one, *b = other;

	if (a->low != b->low)
		return a->low < b->low ? -1 : 1;
	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	return a->what < b->what ? 1 : a->what > b->what ? -1 : 0;
}

static void end_open(struct ranges *ranges)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = ranges->nr; i--;) {
		struct range *range = &ranges->items[i];

		if (i + 1 < ranges->nr && range[1].low > range->low)
			next = range[1].low;
		if (range->open && range->high > next)
			range->high = next;
	}
}

void ranges_sort(struct ranges *ranges)
{
	uint64_t reach = 0;

	if (!ranges->nr)
		return;
	qsort(ranges->items, ranges->nr, sizeof(*ranges->items), compare);
	end_open(ranges);
	for (size_t i = 0; i < ranges->nr; i++) {
		if (ranges->items[i].high > reach)
			reach = ranges->items[i].high;
		ranges->items[i].reach = reach;
	}
}

/* The number of ranges that begin at or before the address. */
static size_t nr_up_to(const struct ranges *ranges, uint64_t address)
{
	size_t low = 0, high = ranges->nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ranges->items[middle].low <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct range *ranges_find(const struct ranges *ranges, uint64_t address)
{
	for (size_t i = nr_up_to(ranges, address); i--;) {
		const struct range *range = &ranges->items[i];

		if (address < range->high)
			return range;
		if (address >= range->reach)
			return NULL;
	}
	return NULL;
}

void ranges_release(struct ranges *ranges)
{
	free(ranges->items);
	*ranges = (struct ranges){ 0 };
}
