/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See space.h.  Sorted ranges, found by halves. */
#include "space.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../base/array.h"

/* Up to the end of what lies there without a gap. */
static ssize_t read_copy(const struct memread *mem, taddr_t address, void *buffer, size_t bytes)
{
	const struct space *space = (const struct space *)mem;
	const struct space_range *range = space_find(space, address);
	size_t done = 0;

	for (; range && range < space->items + space->nr && done < bytes; range++) {
		taddr_t from = address + done;
		size_t part = bytes - done;

		if (from < range->start)
			break;
		if (part > range->end - from)
			part = range->end - from;
		memcpy((char *)buffer + done, range->copy + (from - range->start), part);
		done += part;
	}
	return done || !bytes ? (ssize_t)done : -EFAULT;
}

void space_init(struct space *space)
{
	*space = (struct space){ .read = { .read = read_copy } };
}

void space_deinit(struct space *space)
{
	free(space->items);
}

int space_add(struct space *space, const struct space_range *range)
{
	if (range->start >= range->end ||
	    (space->nr && range->start < space->items[space->nr - 1].end))
		return -EINVAL;
	if (ARRAY_GROW(space))
		return -ENOMEM;
	space->items[space->nr++] = *range;
	return 0;
}

const struct space_range *space_find(const struct space *space, taddr_t address)
{
	size_t low = 0, high = space->nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (space->items[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low < space->nr ? &space->items[low] : NULL;
}

bool space_word(const struct space *space, taddr_t address, uint64_t *out)
{
	return memread_exact(&space->read, address, out, sizeof(*out));
}

void space_prefetch(const struct space *space, taddr_t address)
{
	const struct space_range *range = space_find(space, address);

	if (!range || range->start > address)
		return;
	__builtin_prefetch(range->copy + (address - range->start));
	__builtin_prefetch(range->copy + (address - range->start) + 64);
}
