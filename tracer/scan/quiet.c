/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See quiet.h.  The arenas are found in a copy of the little memory that tells of them: the C library's
 * data, and where the heaps of other arenas begin. */
#include "quiet.h"

#include <stdlib.h>

#include "arenas.h"

/* glibc's HEAP_MAX_SIZE: heaps begin at multiples of it (malloc/arena.c). */
#define HEAP_ALIGNMENT (64ull << 20)
#define HEAD_BYTES 4096u
/* The C library's data is some 30 KiB; that of a program that has it built in may be larger. */
#define DATA_MOST (4u << 20)

static bool is_data(const struct spans *data, const struct mapping *mapping)
{
	for (size_t i = 0; i < data->nr; i++)
		if (mapping->start >= data->items[i].start && mapping->end <= data->items[i].end)
			return true;
	return false;
}

static size_t bytes_wanted(const struct spans *data, const struct mapping *mapping)
{
	size_t bytes = mapping->end - mapping->start;

	if (!mapping->readable || !mapping->writable)
		return 0;
	if (is_data(data, mapping))
		return bytes < DATA_MOST ? bytes : DATA_MOST;
	return !mapping->inode && mapping->start % HEAP_ALIGNMENT == 0 ? HEAD_BYTES : 0;
}

/* What cannot be had is left out. */
static void add_copy(struct space *space, const struct memory *memory, taddr_t start, size_t bytes)
{
	unsigned char *copy = malloc(bytes);
	ssize_t got = copy ? memory->read.read(&memory->read, start, copy, bytes) : 0;
	const struct space_range range = { start, start + (got > 0 ? (size_t)got : 0), copy };

	if (got <= 0 || space_add(space, &range))
		free(copy);
}

static void keep_addresses(struct quiet *quiet, const struct arenas *arenas)
{
	quiet->arenas = calloc(arenas->arenas.nr + 1, sizeof(*quiet->arenas));
	for (size_t i = 0; quiet->arenas && i < arenas->arenas.nr; i++)
		quiet->arenas[quiet->nr++] = arenas->arenas.items[i].address;
}

static void find_in(struct quiet *quiet, const struct space *space, const struct maps *maps,
		    const struct spans *data)
{
	struct arenas arenas;

	if (arenas_find(&(struct arenas_input){
		.space = space, .maps = maps, .data = data->items, .nr_data = data->nr,
	    }, &arenas))
		return;
	keep_addresses(quiet, &arenas);
	arenas_release(&arenas);
}

void quiet_find(struct quiet *quiet, const struct memory *memory, const struct maps *maps)
{
	struct spans data = { 0 };
	struct space space;

	quiet_release(quiet);
	space_init(&space);
	if (!arenas_data(&data, maps)) {
		for (size_t i = 0; i < maps->nr; i++) {
			size_t bytes = bytes_wanted(&data, &maps->items[i]);

			if (bytes)
				add_copy(&space, memory, maps->items[i].start, bytes);
		}
		find_in(quiet, &space, maps, &data);
	}
	for (size_t i = 0; i < space.nr; i++)
		free((void *)(uintptr_t)space.items[i].copy);
	space_deinit(&space);
	free(data.items);
}

/* Each begins with its lock. */
bool quiet_is_so(const struct quiet *quiet, const struct memory *memory)
{
	for (size_t i = 0; i < quiet->nr; i++) {
		uint32_t lock;

		if (memread_exact(&memory->read, quiet->arenas[i], &lock, sizeof(lock)) && lock)
			return false;
	}
	return true;
}

void quiet_release(struct quiet *quiet)
{
	free(quiet->arenas);
	*quiet = (struct quiet){ 0 };
}
