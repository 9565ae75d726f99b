/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See index.h.  Half of each hash is kept, so that growing does not have to ask the owner. */
#include <errno.h>
#include <stdlib.h>

#include "index.h"

#define FIRST_ROOM 1024u

void index_deinit(struct index *index)
{
	free(index->slots);
	*index = (struct index){ .slots = NULL };
}

bool index_next(const struct index *index, uint64_t hash, uint32_t *cursor, uint32_t *id)
{
	while (index->room) {
		const struct index_slot *slot =
			&index->slots[((uint32_t)hash + (*cursor)++) & (index->room - 1)];

		if (!slot->id)
			return false;
		*id = slot->id - 1;
		if (slot->hash == (uint32_t)hash)
			return true;
	}
	return false;
}

static void put(struct index *index, struct index_slot added)
{
	uint32_t i = added.hash & (index->room - 1);

	while (index->slots[i].id)
		i = (i + 1) & (index->room - 1);
	index->slots[i] = added;
}

int index_reserve(struct index *index)
{
	struct index grown = { .nr = index->nr };

	if (index->nr < index->room / 2)
		return 0;
	if (index->room > UINT32_MAX / 2)
		return -ENOMEM;
	grown.room = index->room ? index->room * 2 : FIRST_ROOM;
	grown.slots = calloc(grown.room, sizeof(*grown.slots));
	if (!grown.slots)
		return -ENOMEM;
	for (uint32_t i = 0; i < index->room; i++)
		if (index->slots[i].id)
			put(&grown, index->slots[i]);
	free(index->slots);
	*index = grown;
	return 0;
}

void index_add(struct index *index, uint64_t hash, uint32_t id)
{
	put(index, (struct index_slot){ .hash = (uint32_t)hash, .id = id + 1 });
	index->nr++;
}
