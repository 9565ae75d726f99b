/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Growth is by a sixteenth, so that little of what is held is empty.  Beyond some megabytes the
 * array starts on a boundary of huge pages: mremap then moves them whole.
 */
#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>

#include "pages.h"

#define SMALL ((size_t)4 << 10)
#define HUGE ((size_t)2 << 20)

static size_t round_up(size_t bytes, size_t unit)
{
	return (bytes + unit - 1) / unit * unit;
}

size_t pages_bytes(size_t room, size_t item_bytes)
{
	return round_up(room * item_bytes, SMALL);
}

static size_t next_size(size_t bytes)
{
	bytes += bytes / 16 + 1;
	return round_up(bytes, bytes < 2 * HUGE ? SMALL : HUGE);
}

/* Address space for so many bytes on a boundary of huge pages. */
static void *reserve(size_t bytes)
{
	char *start = mmap(NULL, bytes + HUGE, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *aligned;

	if (start == MAP_FAILED)
		return MAP_FAILED;
	aligned = (char *)round_up((uintptr_t)start, HUGE);
	if (aligned > start)
		munmap(start, (size_t)(aligned - start));
	munmap(aligned + bytes, (size_t)(start + HUGE - aligned));
	return aligned;
}

static void *move_aligned(void *old, size_t old_bytes, size_t bytes)
{
	void *place = reserve(bytes), *moved;

	if (place == MAP_FAILED)
		return MAP_FAILED;
	moved = mremap(old, old_bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, place);
	if (moved == MAP_FAILED)
		munmap(place, bytes);
	else
		madvise(moved, bytes, MADV_HUGEPAGE); /* advice: no kernel has to have them */
	return moved;
}

static void *resize(void *old, size_t old_bytes, size_t bytes)
{
	void *grown;

	if (!old)
		return mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);
	if (bytes < 2 * HUGE)
		return mremap(old, old_bytes, bytes, MREMAP_MAYMOVE);
	if ((uintptr_t)old % HUGE == 0) {
		grown = mremap(old, old_bytes, bytes, 0);
		if (grown != MAP_FAILED)
			return grown;
	}
	return move_aligned(old, old_bytes, bytes);
}

int pages_grow(void **items, size_t *room, size_t nr, size_t item_bytes)
{
	size_t old_bytes = pages_bytes(*room, item_bytes), bytes;
	void *grown;

	if (nr < *room)
		return 0;
	bytes = next_size(old_bytes);
	grown = resize(*items, old_bytes, bytes);
	if (grown == MAP_FAILED)
		return -ENOMEM;
	*items = grown;
	*room = bytes / item_bytes;
	return 0;
}

void pages_free(void *items, size_t room, size_t item_bytes)
{
	if (items)
		munmap(items, pages_bytes(room, item_bytes));
}
