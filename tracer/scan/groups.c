/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See groups.h. */
#include "groups.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../base/array.h"
#include "../base/hash.h"

/* As many sizes and contents are a list that nobody reads: what is beyond is one group. */
#define GROUPS_MOST 65536

static uint64_t hash(const struct group *group)
{
	uint64_t key = (uint64_t)group->content.kind << 8 | group->content.at;

	return hash_combine(hash_combine(hash_u64(key), group->content.table), group->size);
}

static bool same(const struct group *a, const struct group *b)
{
	return a->content.kind == b->content.kind && a->content.table == b->content.table &&
	       a->content.at == b->content.at && a->size == b->size;
}

static bool find(const struct groups *groups, const struct group *wanted, uint32_t *id)
{
	uint32_t cursor = 0;

	while (index_next(&groups->index, hash(wanted), &cursor, id))
		if (same(&groups->items[*id], wanted))
			return true;
	return false;
}

static int find_or_add(struct groups *groups, struct group *wanted, uint32_t *id)
{
	if (find(groups, wanted, id))
		return 0;
	if (groups->nr >= GROUPS_MOST) {
		*wanted = (struct group){ .size = 0 };
		if (find(groups, wanted, id))
			return 0;
	}
	if (ARRAY_GROW(groups) || index_reserve(&groups->index))
		return -ENOMEM;
	*id = (uint32_t)groups->nr;
	index_add(&groups->index, hash(wanted), *id);
	groups->items[groups->nr++] = *wanted;
	return 0;
}

static uint32_t nr_sites(const struct blocks *blocks, const uint32_t *sites, uint32_t no_site)
{
	uint32_t nr = 0;

	for (uint32_t id = 0; id < blocks->nr; id++)
		if (sites[id] != no_site && sites[id] >= nr)
			nr = sites[id] + 1;
	return nr;
}

int groups_init(struct groups *groups, const struct space *space, const struct maps *maps,
		const struct blocks *blocks, uint32_t *sites, uint32_t no_site)
{
	int error = 0;
	uint32_t found;

	*groups = (struct groups){ .first_site = nr_sites(blocks, sites, no_site) };
	for (uint32_t id = 0; id < blocks->nr && !error; id++) {
		const struct scan_block *block = &blocks->items[id];
		struct group wanted = { .size = block->size };

		if (sites[id] != no_site || block->opaque)
			continue;
		wanted.content = content_of(space, maps, blocks, block);
		error = find_or_add(groups, &wanted, &found);
		if (!error)
			sites[id] = groups->first_site + found;
	}
	return error;
}

static struct group_part *part_of(struct groups *groups, uint32_t site, enum reach_kind kind)
{
	size_t id = site - (size_t)groups->first_site;

	return site >= groups->first_site && id < groups->nr ? &groups->items[id].parts[kind] : NULL;
}

static void note_example(const struct space *space, const struct scan_block *block,
			 struct group_part *part)
{
	uint64_t word;

	part->example = block->address;
	for (unsigned at = 0; at + 8 <= GROUP_PREVIEW && at + 8 <= block->size; at += 8) {
		if (!space_word(space, block->address + at, &word))
			break;
		memcpy(part->preview + at, &word, sizeof(word));
		part->preview_bytes = at + 8;
	}
}

void groups_add_up(struct groups *groups, const struct space *space, const struct blocks *blocks,
		   const uint32_t *sites)
{
	for (uint32_t id = 0; id < blocks->nr; id++) {
		const struct scan_block *block = &blocks->items[id];
		struct group_part *part = part_of(groups, sites[id], block->kind);

		if (part && !part->blocks++)
			note_example(space, block, part);
		if (part)
			part->bytes += block->size;
		if (block->kind != REACH_INDIRECT)
			continue;
		part = part_of(groups, sites[block->leader], REACH_DEFINITE);
		if (part) {
			part->indirect_blocks++;
			part->indirect_bytes += block->size;
		}
	}
}

void groups_release(struct groups *groups)
{
	index_deinit(&groups->index);
	free(groups->items);
	*groups = (struct groups){ 0 };
}
