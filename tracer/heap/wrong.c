/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See wrong.h. */
#include "wrong.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../base/array.h"
#include "../base/hash.h"

int wrong_init(struct wrong_frees *wrong)
{
	*wrong = (struct wrong_frees){ .is_whole = true };
	if (ledger_init(&wrong->inside) || ledger_init(&wrong->again) || freed_init(&wrong->freed))
		return -ENOMEM;
	return 0;
}

void wrong_deinit(struct wrong_frees *wrong)
{
	freed_deinit(&wrong->freed);
	ledger_deinit(&wrong->inside);
	ledger_deinit(&wrong->again);
	index_deinit(&wrong->index);
	free(wrong->items);
	*wrong = (struct wrong_frees){ .items = NULL };
}

void wrong_begin_late(struct wrong_frees *wrong, bool has_calls)
{
	struct ledger empty;

	wrong->is_whole = false;
	wrong->is_unsettled = has_calls;
	wrong->since_ns = has_calls ? UINT64_MAX : 0;
	freed_forget_all(&wrong->freed);
	if (ledger_init(&empty))
		return;
	ledger_deinit(&wrong->inside);
	wrong->inside = empty;
}

void wrong_see_time(struct wrong_frees *wrong, uint64_t now_ns)
{
	if (!wrong->is_unsettled)
		return;
	wrong->is_unsettled = false;
	wrong->since_ns = now_ns + WRONG_SETTLE_NS;
}

/* Where an outer call has its block from an inner one, it is the same. */
static bool take_inside(struct wrong_frees *wrong, taddr_t address)
{
	struct block block;

	return wrong->inside.nr_live && ledger_remove(&wrong->inside, address, &block);
}

static void note(struct wrong_frees *wrong, const struct freeing *free, const struct block *block)
{
	struct freed freed = { .free = *free };

	if (block) {
		freed.size = block->size;
		freed.born_ns = block->time_ns;
		freed.site = block->site + 1;
	}
	if (free->time_ns >= wrong->since_ns)
		freed_note(&wrong->freed, &freed);
	else
		freed_forget(&wrong->freed, free->address);
}

void wrong_note_free(struct wrong_frees *wrong, const struct freeing *free,
		     const struct block *block)
{
	(void)take_inside(wrong, free->address);
	/* Under a pool's block there may be one of the allocator's, which lives on. */
	if ((free->address | block->address) & ADDRESS_POOL)
		freed_forget(&wrong->freed, free->address & ~ADDRESS_POOL);
	else
		note(wrong, free, block);
}

void wrong_forget(struct wrong_frees *wrong, taddr_t address)
{
	freed_forget(&wrong->freed, address);
}

bool wrong_note_inside(struct wrong_frees *wrong, taddr_t address)
{
	const struct block block = { .address = address };
	struct block replaced;

	freed_forget(&wrong->freed, address);
	wrong->is_blind |= !address;
	return !address || !ledger_add(&wrong->inside, &block, &replaced);
}

void wrong_free_inside(struct wrong_frees *wrong, taddr_t address)
{
	(void)take_inside(wrong, address);
}

/* What tells two calls apart. */
static uint64_t place_of(const struct freeing *free)
{
	return free->site ? free->site : free->caller << 12 ^ free->function;
}

static bool is_same_place(const struct freeing *a, const struct freeing *b)
{
	if (a->function != b->function || a->site != b->site)
		return false;
	return a->site || a->caller == b->caller;
}

static uint64_t hash_of(const struct freeing *free, const struct freed *first)
{
	uint64_t hash = hash_combine(place_of(free), first->site);

	return first->free.address ? hash_combine(hash, place_of(&first->free)) : hash;
}

static bool is_same(const struct wrong_free *known, const struct freeing *free,
		    const struct freed *first)
{
	if (!is_same_place(&known->free, free) || known->first.site != first->site ||
	    !known->first.free.address != !first->free.address)
		return false;
	return !first->free.address || is_same_place(&known->first.free, &first->free);
}

static struct wrong_free *find(const struct wrong_frees *wrong, uint64_t hash,
			       const struct freeing *free, const struct freed *first)
{
	uint32_t cursor = 0, id;

	while (index_next(&wrong->index, hash, &cursor, &id))
		if (is_same(&wrong->items[id], free, first))
			return &wrong->items[id];
	return NULL;
}

/* NULL: there is no room for one more. */
static struct wrong_free *find_or_add(struct wrong_frees *wrong, const struct freeing *free,
				      const struct freed *first)
{
	uint64_t hash = hash_of(free, first);
	struct wrong_free *found = find(wrong, hash, free, first);

	if (found)
		return found;
	if (wrong->nr == WRONG_CONTEXTS || ARRAY_GROW(wrong) || index_reserve(&wrong->index))
		return NULL;
	index_add(&wrong->index, hash, (uint32_t)wrong->nr);
	wrong->items[wrong->nr] = (struct wrong_free){ .free = *free, .first = *first };
	return &wrong->items[wrong->nr++];
}

static void add(struct wrong_frees *wrong, const struct freeing *free, const struct freed *first,
		uint64_t count)
{
	struct wrong_free *context = find_or_add(wrong, free, first);

	if (context)
		context->count += count;
	else
		wrong->nr_lost += count;
}

/* By so many owners it will be freed, each of whom is right. */
static bool change_owners(struct wrong_frees *wrong, taddr_t address, int change)
{
	struct block block, replaced;

	if (!wrong->again.nr_live || !ledger_find(&wrong->again, address, &block) ||
	    (change < 0 && !block.size))
		return false;
	block.size += (uint64_t)change;
	return !ledger_add(&wrong->again, &block, &replaced);
}

bool wrong_explains(struct wrong_frees *wrong, taddr_t address)
{
	return change_owners(wrong, address, 1);
}

static void note_again(struct wrong_frees *wrong, taddr_t address)
{
	const struct block block = { .address = address };
	struct block other;

	if (wrong->again.nr_live < WRONG_AGAIN && !ledger_find(&wrong->again, address, &other))
		(void)ledger_add(&wrong->again, &block, &other);
}

void wrong_judge(struct wrong_frees *wrong, const struct freeing *free)
{
	static const struct freed none;
	const struct freed *first = freed_find(&wrong->freed, free->address);

	if (free->address & ADDRESS_POOL)
		return;
	if (take_inside(wrong, free->address)) {
		note(wrong, free, NULL);
		return;
	}
	if (change_owners(wrong, free->address, -1))
		return;
	if (first && (free->resizes || first->free.resizes ||
		      free->function == first->free.function)) {
		add(wrong, free, first, 1);
		note_again(wrong, free->address);
	} else if (!first && wrong->is_whole) {
		add(wrong, free, &none, 1);
	} else if (!first) {
		note(wrong, free, NULL);
	}
}

static void translate(uint32_t *site, const uint32_t *sites)
{
	if (*site)
		*site = sites[*site - 1] + 1;
}

void wrong_merge(struct wrong_frees *wrong, const struct wrong_frees *other,
		 const uint32_t *sites)
{
	for (size_t i = 0; i < other->nr; i++) {
		struct wrong_free context = other->items[i];

		translate(&context.free.site, sites);
		translate(&context.first.site, sites);
		translate(&context.first.free.site, sites);
		add(wrong, &context.free, &context.first, context.count);
	}
	wrong->nr_lost += other->nr_lost;
	wrong->is_blind |= other->is_blind;
	wrong->is_whole &= other->is_whole;
}
