/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See sites.h.  The instants start 250 ms apart: a run of a second can tell what grows.
 *
 * A program has up to some 100,000 sites, and which one an event is of, is known late.  So what
 * is to be counted waits in a short queue while the cache fetches its site; before anything is
 * read, all that waits is counted.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../base/hash.h"
#include "../base/index.h"
#include "pages.h"
#include "sites.h"

#define FIRST_DISTANCE_NS 250000000
#define QUARTERS 4
#define WAITING 8u

/* Errors of what is live that growth must exceed: of places that keep their size, which go up and
 * down by chance, one in a hundred would come to twice that. */
#define GROWTH_ERRORS 3

struct change {
	uint32_t id;
	bool is_free;
	uint64_t bytes, born_ns, now_ns;
};

struct instants {
	uint64_t bytes[SITE_INSTANTS];	/* live then */
};

struct sites {
	struct {
		struct site *items;
		size_t nr, room;
	} table;
	struct {
		struct instants *items;
		size_t room;
	} instants;			/* of each site */
	struct {
		struct site_estimate *items;
		size_t room;
	} estimates;			/* likewise, under sampling */
	uint64_t mean_bytes;		/* of sampling; 0: there is none */
	struct index index;
	uint64_t now_ns;		/* the latest time heard of */
	uint64_t since_ns;		/* instants count from here */
	uint64_t distance_ns;
	uint32_t nr_instants;
	uint32_t nr_changes;		/* so far; each waits for WAITING others */
	uint32_t nr_counted;
	struct change changes[WAITING];
};

int sites_create(struct sites **out)
{
	struct sites *sites = calloc(1, sizeof(*sites));

	if (!sites)
		return -ENOMEM;
	sites->distance_ns = FIRST_DISTANCE_NS;
	*out = sites;
	return 0;
}

void sites_destroy(struct sites *sites)
{
	if (!sites)
		return;
	index_deinit(&sites->index);
	pages_free(sites->table.items, sites->table.room, sizeof(*sites->table.items));
	pages_free(sites->instants.items, sites->instants.room, sizeof(*sites->instants.items));
	pages_free(sites->estimates.items, sites->estimates.room, sizeof(*sites->estimates.items));
	free(sites);
}

void sites_sample(struct sites *sites, uint64_t mean_bytes)
{
	sites->mean_bytes = mean_bytes;
}

static int reserve_estimate(struct sites *sites)
{
	return sites->mean_bytes ? pages_grow((void **)&sites->estimates.items,
					      &sites->estimates.room, sites->table.nr,
					      sizeof(*sites->estimates.items)) : 0;
}

static int reserve(struct sites *sites)
{
	if (sites->table.nr >= UINT32_MAX ||
	    pages_grow((void **)&sites->table.items, &sites->table.room, sites->table.nr,
		       sizeof(*sites->table.items)) ||
	    pages_grow((void **)&sites->instants.items, &sites->instants.room, sites->table.nr,
		       sizeof(*sites->instants.items)) ||
	    reserve_estimate(sites))
		return -ENOMEM;
	return index_reserve(&sites->index);
}

static int add_site(struct sites *sites, uint64_t hash, uint32_t function, uint32_t stack,
		    uint32_t *out_id)
{
	uint32_t id = (uint32_t)sites->table.nr;

	if (reserve(sites))
		return -ENOMEM;
	sites->table.items[sites->table.nr++] = (struct site){
		.function = function,
		.stack = stack,
	};
	index_add(&sites->index, hash, id);
	*out_id = id;
	return 0;
}

int sites_intern(struct sites *sites, uint32_t function, uint32_t stack, uint32_t *out_id)
{
	uint64_t hash = hash_combine(function, stack);
	uint32_t cursor = 0, id;

	while (index_next(&sites->index, hash, &cursor, &id)) {
		const struct site *site = &sites->table.items[id];

		if (site->function == function && site->stack == stack) {
			*out_id = id;
			return 0;
		}
	}
	return add_site(sites, hash, function, stack, out_id);
}

static void count_alloc(struct site *site, const struct change *change)
{
	/* Of different addresses an engine may tell out of order. */
	if (!site->allocs++ || change->now_ns < site->first_ns)
		site->first_ns = change->now_ns;
	if (change->now_ns > site->last_ns)
		site->last_ns = change->now_ns;
	site->live_blocks++;
	site->live_bytes += change->bytes;
	if (site->live_bytes > site->peak_bytes)
		site->peak_bytes = site->live_bytes;
}

/* Clocks of two processors may differ by some ns: a lifetime is never below none. */
static void count_free(struct site *site, const struct change *change)
{
	uint64_t lifetime_ns = change->now_ns > change->born_ns ?
			       change->now_ns - change->born_ns : 0;

	if (!site->frees++ || lifetime_ns < site->lifetime_min_ns)
		site->lifetime_min_ns = lifetime_ns;
	if (lifetime_ns > site->lifetime_max_ns)
		site->lifetime_max_ns = lifetime_ns;
	site->lifetime_sum_ns += lifetime_ns;
	site->live_blocks--;
	site->live_bytes -= change->bytes;
}

static void estimate_one(struct sites *sites, const struct change *change)
{
	struct site_estimate *estimate = &sites->estimates.items[change->id];
	struct estimate one = estimate_of(change->bytes, sites->mean_bytes);

	if (change->is_free) {
		estimate_take(&estimate->live, &one);
		return;
	}
	estimate_add(&estimate->allocated, &one);
	estimate_add(&estimate->live, &one);
	if (estimate->live.bytes > estimate->peak_bytes)
		estimate->peak_bytes = estimate->live.bytes;
}

static void count_one(struct sites *sites)
{
	const struct change *change = &sites->changes[sites->nr_counted++ % WAITING];
	struct site *site = &sites->table.items[change->id];

	if (change->is_free)
		count_free(site, change);
	else
		count_alloc(site, change);
	if (sites->mean_bytes)
		estimate_one(sites, change);
}

static void count_all(struct sites *sites)
{
	while (sites->nr_counted != sites->nr_changes)
		count_one(sites);
}

static struct change *new_change(struct sites *sites, uint32_t id)
{
	char *site = (char *)&sites->table.items[id];

	__builtin_prefetch(site, 1);
	__builtin_prefetch(site + sizeof(struct site) / 2, 1);
	if (sites->nr_changes - sites->nr_counted == WAITING)
		count_one(sites);
	return &sites->changes[sites->nr_changes++ % WAITING];
}

void sites_alloc(struct sites *sites, uint32_t id, uint64_t bytes, uint64_t now_ns)
{
	*new_change(sites, id) = (struct change){ id, false, bytes, now_ns, now_ns };
}

void sites_free(struct sites *sites, uint32_t id, uint64_t bytes, uint64_t born_ns,
		uint64_t now_ns)
{
	*new_change(sites, id) = (struct change){ id, true, bytes, born_ns, now_ns };
}

void sites_disown(struct sites *sites, uint32_t id, uint64_t bytes)
{
	struct site *site = &sites->table.items[id];
	struct site_estimate *estimate;
	struct estimate one;

	count_all(sites);
	site->allocs--;
	site->live_blocks--;
	site->live_bytes -= bytes;
	if (!sites->mean_bytes)
		return;
	estimate = &sites->estimates.items[id];
	one = estimate_of(bytes, sites->mean_bytes);
	estimate_take(&estimate->allocated, &one);
	estimate_take(&estimate->live, &one);
}

void sites_begin_anew(struct sites *sites, uint64_t now_ns)
{
	if (sites->table.nr)
		memset(sites->instants.items, 0,
		       sites->table.nr * sizeof(*sites->instants.items));
	sites->since_ns = sites->now_ns = now_ns;
	sites->distance_ns = FIRST_DISTANCE_NS;
	sites->nr_instants = 0;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t most(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void join_times(struct site *site, const struct site *other)
{
	site->first_ns = !site->allocs ? other->first_ns :
			 !other->allocs ? site->first_ns : least(site->first_ns, other->first_ns);
	site->last_ns = most(site->last_ns, other->last_ns);
	site->lifetime_min_ns = !site->frees ? other->lifetime_min_ns :
				!other->frees ? site->lifetime_min_ns :
				least(site->lifetime_min_ns, other->lifetime_min_ns);
	site->lifetime_max_ns = most(site->lifetime_max_ns, other->lifetime_max_ns);
	site->lifetime_sum_ns += other->lifetime_sum_ns;
}

static void join_counts(struct site *site, const struct site *other)
{
	site->allocs += other->allocs;
	site->frees += other->frees;
	site->live_blocks += other->live_blocks;
	site->live_bytes += other->live_bytes;
	site->peak_bytes += other->peak_bytes;
}

static void join_estimates(struct site_estimate *estimate, const struct site_estimate *other)
{
	estimate_add(&estimate->allocated, &other->allocated);
	estimate_add(&estimate->live, &other->live);
	estimate->peak_bytes += other->peak_bytes;
}

void sites_join(struct sites *sites, uint32_t id, struct sites *others, uint32_t other)
{
	struct site *site = &sites->table.items[id];

	count_all(sites);
	count_all(others);
	join_times(site, &others->table.items[other]);
	join_counts(site, &others->table.items[other]);
	if (sites->mean_bytes)
		join_estimates(&sites->estimates.items[id], &others->estimates.items[other]);
	for (size_t i = 0; i < SITE_INSTANTS; i++)
		sites->instants.items[id].bytes[i] += others->instants.items[other].bytes[i];
}

static void halve(struct sites *sites)
{
	for (size_t s = 0; s < sites->table.nr; s++) {
		uint64_t *bytes = sites->instants.items[s].bytes;

		for (size_t i = 0; i < SITE_INSTANTS / 2; i++)
			bytes[i] = bytes[2 * i + 1];
		for (size_t i = SITE_INSTANTS / 2; i < SITE_INSTANTS; i++)
			bytes[i] = 0;
	}
	sites->nr_instants = SITE_INSTANTS / 2;
	sites->distance_ns *= 2;
}

static uint64_t live_bytes(const struct sites *sites, size_t id)
{
	return sites->mean_bytes ? sites->estimates.items[id].live.bytes
				 : sites->table.items[id].live_bytes;
}

static void take_instant(struct sites *sites)
{
	count_all(sites);
	for (size_t s = 0; s < sites->table.nr; s++)
		sites->instants.items[s].bytes[sites->nr_instants] = live_bytes(sites, s);
	sites->nr_instants++;
}

void sites_tick(struct sites *sites, uint64_t now_ns)
{
	if (now_ns > sites->now_ns)
		sites->now_ns = now_ns;
	while (sites->now_ns - sites->since_ns >=
	       (sites->nr_instants + 1) * sites->distance_ns) {
		if (sites->nr_instants == SITE_INSTANTS)
			halve(sites);
		else
			take_instant(sites);
	}
}

bool sites_quarters(struct sites *sites, uint32_t id, struct site_quarters *out)
{
	count_all(sites);
	if (sites->nr_instants < QUARTERS)
		return false;
	for (uint64_t i = 0; i < QUARTERS - 1; i++) {
		uint64_t end_ns = (sites->now_ns - sites->since_ns) / QUARTERS * (i + 1);
		uint64_t nearest = (end_ns + sites->distance_ns / 2) / sites->distance_ns;

		out->end_ns[i] = sites->since_ns + nearest * sites->distance_ns;
		out->bytes[i] = sites->instants.items[id].bytes[nearest - 1];
	}
	out->end_ns[QUARTERS - 1] = sites->now_ns;
	out->bytes[QUARTERS - 1] = live_bytes(sites, id);
	return true;
}

/* Whether it tells more than which blocks happened to be drawn. */
static bool is_beyond_chance(const struct sites *sites, uint32_t id, uint64_t gained)
{
	return !sites->mean_bytes ||
	       gained >= GROWTH_ERRORS * estimate_bytes_error(&sites->estimates.items[id].live);
}

bool sites_growing(struct sites *sites, uint32_t id)
{
	struct site_quarters quarters;
	uint64_t before = 0;

	if (!sites_quarters(sites, id, &quarters))
		return false;
	for (size_t i = 0; i < QUARTERS; i++) {
		if (quarters.bytes[i] <= before)
			return false;
		before = quarters.bytes[i];
	}
	return is_beyond_chance(sites, id, before - quarters.bytes[0]);
}

uint32_t sites_instants(const struct sites *sites, uint64_t *out_distance_ns)
{
	*out_distance_ns = sites->distance_ns;
	return sites->nr_instants;
}

const uint64_t *sites_instant_bytes(const struct sites *sites, uint32_t id)
{
	return sites->instants.items[id].bytes;
}

const struct site *sites_get(struct sites *sites, uint32_t id)
{
	count_all(sites);
	return &sites->table.items[id];
}

const struct site_estimate *sites_estimate(struct sites *sites, uint32_t id)
{
	count_all(sites);
	return sites->mean_bytes ? &sites->estimates.items[id] : NULL;
}

uint32_t sites_count(const struct sites *sites)
{
	return (uint32_t)sites->table.nr;
}
