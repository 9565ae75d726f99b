/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See stacks.h.  All frames lie in one array; an entry says where those of one stack are. */
#include <stdlib.h>
#include <string.h>

#include "../base/array.h"
#include "../base/hash.h"
#include "../base/index.h"
#include "stacks.h"

struct entry {
	size_t first;
	uint32_t nr_frames;
	bool truncated;
};

struct stacks {
	struct {
		struct entry *items;
		size_t nr, room;
	} entries;
	struct {
		code_t *items;
		size_t nr, room;
	} frames;
	struct index index;
};

int stacks_create(struct stacks **out)
{
	struct stacks *stacks = calloc(1, sizeof(*stacks));

	if (!stacks)
		return -ENOMEM;
	*out = stacks;
	return 0;
}

void stacks_destroy(struct stacks *stacks)
{
	if (!stacks)
		return;
	index_deinit(&stacks->index);
	free(stacks->frames.items);
	free(stacks->entries.items);
	free(stacks);
}

static uint64_t hash_stack(const code_t *frames, uint32_t nr_frames, bool truncated)
{
	uint64_t hash = truncated;

	for (uint32_t i = 0; i < nr_frames; i++)
		hash = hash_combine(hash, frames[i]);
	return hash;
}

static bool same(struct stack_view stack, const code_t *frames, uint32_t nr_frames, bool truncated)
{
	return stack.nr_frames == nr_frames && stack.truncated == truncated &&
	       (!nr_frames || !memcmp(stack.frames, frames, nr_frames * sizeof(*frames)));
}

static int reserve(struct stacks *stacks, uint32_t nr_frames)
{
	size_t wanted = stacks->frames.nr + nr_frames;

	if (stacks->entries.nr >= UINT32_MAX || ARRAY_GROW(&stacks->entries) ||
	    index_reserve(&stacks->index))
		return -ENOMEM;
	while (stacks->frames.room <= wanted)
		if (array_grow((void **)&stacks->frames.items, &stacks->frames.room,
			       stacks->frames.room, sizeof(*stacks->frames.items)))
			return -ENOMEM;
	return 0;
}

static uint32_t append(struct stacks *stacks, const code_t *frames, uint32_t nr_frames,
		       bool truncated)
{
	struct entry entry = { stacks->frames.nr, nr_frames, truncated };

	if (nr_frames)
		memcpy(stacks->frames.items + entry.first, frames, nr_frames * sizeof(*frames));
	stacks->frames.nr += nr_frames;
	stacks->entries.items[stacks->entries.nr] = entry;
	return (uint32_t)stacks->entries.nr++;
}

int stacks_intern(struct stacks *stacks, const code_t *frames, uint32_t nr_frames, bool truncated,
		  uint32_t *out_id)
{
	uint64_t hash = hash_stack(frames, nr_frames, truncated);
	uint32_t cursor = 0, id;

	while (index_next(&stacks->index, hash, &cursor, &id)) {
		if (same(stacks_get(stacks, id), frames, nr_frames, truncated)) {
			*out_id = id;
			return 0;
		}
	}
	if (reserve(stacks, nr_frames))
		return -ENOMEM;
	*out_id = append(stacks, frames, nr_frames, truncated);
	index_add(&stacks->index, hash, *out_id);
	return 0;
}

struct stack_view stacks_get(const struct stacks *stacks, uint32_t id)
{
	const struct entry *entry = &stacks->entries.items[id];

	return (struct stack_view){ stacks->frames.items + entry->first, entry->nr_frames,
				    entry->truncated };
}

uint32_t stacks_count(const struct stacks *stacks)
{
	return (uint32_t)stacks->entries.nr;
}
