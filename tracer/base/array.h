/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A growable array that may fail: array_grow() makes room for one more element.
 *
 *	struct { struct thing *items; size_t nr, room; } things = { 0 };
 *	if (array_grow((void **)&things.items, &things.room, things.nr, sizeof(*things.items)))
 *		return -ENOMEM;
 *	things.items[things.nr++] = thing;
 *
 * Growth is by half and never moves less than it must: glibc grows large blocks with
 * mremap.  Not thread safe.
 */
#ifndef MEMTRACE_BASE_ARRAY_H
#define MEMTRACE_BASE_ARRAY_H

#include <errno.h>
#include <stdlib.h>

/* 0, or -ENOMEM with the array untouched. */
static inline int array_grow(void **items, size_t *room, size_t nr, size_t item_bytes)
{
	size_t more = *room + *room / 2 + 16;
	void *grown;

	if (nr < *room)
		return 0;
	grown = reallocarray(*items, more, item_bytes);
	if (!grown)
		return -ENOMEM;
	*items = grown;
	*room = more;
	return 0;
}

/* The same for an array whose items, nr and room are members of one struct. */
#define ARRAY_GROW(array) \
	array_grow((void **)&(array)->items, &(array)->room, (array)->nr, sizeof(*(array)->items))

#endif
