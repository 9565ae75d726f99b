/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See freed.h.  Pages that no free has touched cost nothing. */
#include "freed.h"

#include <errno.h>
#include <sys/mman.h>

#include "../base/hash.h"

_Static_assert(sizeof(struct freed) == 64, "one free is to cost one line of the cache");

#define BYTES (FREED_PLACES * sizeof(struct freed))

static struct freed *place_of(const struct freed_table *table, taddr_t address)
{
	return &table->places[hash_u64(address) % FREED_PLACES];
}

int freed_init(struct freed_table *table)
{
	void *places = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);

	if (places == MAP_FAILED)
		return -ENOMEM;
	table->places = places;
	return 0;
}

void freed_deinit(struct freed_table *table)
{
	if (table->places)
		munmap(table->places, BYTES);
	table->places = NULL;
}

void freed_note(struct freed_table *table, const struct freed *freed)
{
	*place_of(table, freed->free.address) = *freed;
}

const struct freed *freed_find(const struct freed_table *table, taddr_t address)
{
	const struct freed *place = place_of(table, address);

	return address && place->free.address == address ? place : NULL;
}

void freed_forget(struct freed_table *table, taddr_t address)
{
	struct freed *place = place_of(table, address);

	if (place->free.address == address)
		place->free.address = 0;
}

void freed_forget_all(struct freed_table *table)
{
	madvise(table->places, BYTES, MADV_DONTNEED); /* private memory: it reads as zero */
}

void freed_prefetch(const struct freed_table *table, taddr_t address)
{
	__builtin_prefetch(place_of(table, address), 1);
}
