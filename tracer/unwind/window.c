/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copies of a stack, read in as few calls as possible. */
#include "window.h"

#include <string.h>

#define STEP_BYTES 1024
#define FIRST_BYTES_MAX (32 * 1024)

/* Enough for most, at the cost of the last walk's need. */
static size_t next_first_bytes(const struct window *window)
{
	size_t wanted = (window->used + STEP_BYTES) / STEP_BYTES * STEP_BYTES;
	size_t slowly = window->first_bytes - window->first_bytes / 8;

	if (wanted < slowly)
		wanted = (slowly + STEP_BYTES - 1) / STEP_BYTES * STEP_BYTES;
	return wanted < FIRST_BYTES_MAX ? wanted : FIRST_BYTES_MAX;
}

static bool extend(struct window *window, size_t bytes)
{
	size_t more = (bytes - window->bytes + 4 * STEP_BYTES) / STEP_BYTES * STEP_BYTES;
	ssize_t got;

	if (window->bytes + more > sizeof(window->copy))
		more = sizeof(window->copy) - window->bytes;
	got = window->memory->read(window->memory, window->start + window->bytes,
				   window->copy + window->bytes, more);
	if (got > 0)
		window->bytes += (size_t)got;
	return window->bytes >= bytes;
}

static ssize_t window_read(const struct memread *mem, taddr_t address, void *buffer, size_t bytes)
{
	struct window *window = mem->owner;
	size_t end = address - window->start + bytes;

	if (address < window->start || end > sizeof(window->copy) || end < bytes ||
	    (end > window->bytes && !extend(window, end)))
		return window->memory->read(window->memory, address, buffer, bytes);
	if (end > window->used)
		window->used = end;
	memcpy(buffer, window->copy + (address - window->start), bytes);
	return (ssize_t)bytes;
}

void window_init(struct window *window, const struct memread *memory)
{
	window->read = (struct memread){ .read = window_read, .owner = window };
	window->memory = memory;
	window->bytes = 0;
	window->used = 0;
	window->first_bytes = 4 * STEP_BYTES;
}

void window_open(struct window *window, taddr_t sp)
{
	ssize_t got;

	window->first_bytes = next_first_bytes(window);
	window->start = sp;
	window->used = 0;
	got = window->memory->read(window->memory, sp, window->copy, window->first_bytes);
	window->bytes = got > 0 ? (size_t)got : 0;
}
