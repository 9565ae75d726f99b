/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See sites.h.  The instants start 250 ms apart: a run of a second can tell what grows. */
#include <stdlib.h>

#include "../base/array.h"
#include "../base/hash.h"
#include "index.h"
#include "sites.h"

#define FIRST_DISTANCE_NS 250000000
#define QUARTERS 4

struct sites {
	struct {
		struct site *items;
		size_t nr, room;
	} table;
	struct index index;
	uint64_t now_ns;		/* the latest time heard of */
	uint64_t distance_ns;
	uint32_t nr_instants;
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
	free(sites->table.items);
	free(sites);
}

static int add_site(struct sites *sites, uint64_t hash, uint32_t function, uint32_t stack,
		    uint32_t *out_id)
{
	uint32_t id = (uint32_t)sites->table.nr;

	if (sites->table.nr >= UINT32_MAX || ARRAY_GROW(&sites->table) ||
	    index_reserve(&sites->index))
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

void sites_alloc(struct sites *sites, uint32_t id, uint64_t bytes, uint64_t now_ns)
{
	struct site *site = &sites->table.items[id];

	if (!site->allocs++)
		site->first_ns = now_ns;
	site->last_ns = now_ns;
	site->live_blocks++;
	site->live_bytes += bytes;
	if (site->live_bytes > site->peak_bytes)
		site->peak_bytes = site->live_bytes;
}

/* Clocks of two processors may differ by some ns: a lifetime is never below none. */
void sites_free(struct sites *sites, uint32_t id, uint64_t bytes, uint64_t born_ns,
		uint64_t now_ns)
{
	struct site *site = &sites->table.items[id];
	uint64_t lifetime_ns = now_ns > born_ns ? now_ns - born_ns : 0;

	if (!site->frees++ || lifetime_ns < site->lifetime_min_ns)
		site->lifetime_min_ns = lifetime_ns;
	if (lifetime_ns > site->lifetime_max_ns)
		site->lifetime_max_ns = lifetime_ns;
	site->lifetime_sum_ns += lifetime_ns;
	site->live_blocks--;
	site->live_bytes -= bytes;
}

static void halve(struct sites *sites)
{
	for (size_t s = 0; s < sites->table.nr; s++) {
		struct site *site = &sites->table.items[s];

		for (size_t i = 0; i < SITE_INSTANTS / 2; i++)
			site->instant_bytes[i] = site->instant_bytes[2 * i + 1];
		for (size_t i = SITE_INSTANTS / 2; i < SITE_INSTANTS; i++)
			site->instant_bytes[i] = 0;
	}
	sites->nr_instants = SITE_INSTANTS / 2;
	sites->distance_ns *= 2;
}

static void take_instant(struct sites *sites)
{
	for (size_t s = 0; s < sites->table.nr; s++) {
		struct site *site = &sites->table.items[s];

		site->instant_bytes[sites->nr_instants] = site->live_bytes;
	}
	sites->nr_instants++;
}

void sites_tick(struct sites *sites, uint64_t now_ns)
{
	if (now_ns > sites->now_ns)
		sites->now_ns = now_ns;
	while (now_ns >= (sites->nr_instants + 1) * sites->distance_ns) {
		if (sites->nr_instants == SITE_INSTANTS)
			halve(sites);
		else
			take_instant(sites);
	}
}

bool sites_quarters(const struct sites *sites, uint32_t id, struct site_quarters *out)
{
	const struct site *site = &sites->table.items[id];

	if (sites->nr_instants < QUARTERS)
		return false;
	for (uint64_t i = 0; i < QUARTERS - 1; i++) {
		uint64_t end_ns = sites->now_ns / QUARTERS * (i + 1);
		uint64_t nearest = (end_ns + sites->distance_ns / 2) / sites->distance_ns;

		out->end_ns[i] = nearest * sites->distance_ns;
		out->bytes[i] = site->instant_bytes[nearest - 1];
	}
	out->end_ns[QUARTERS - 1] = sites->now_ns;
	out->bytes[QUARTERS - 1] = site->live_bytes;
	return true;
}

bool sites_growing(const struct sites *sites, uint32_t id)
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
	return true;
}

uint32_t sites_instants(const struct sites *sites, uint64_t *out_distance_ns)
{
	*out_distance_ns = sites->distance_ns;
	return sites->nr_instants;
}

const struct site *sites_get(const struct sites *sites, uint32_t id)
{
	return &sites->table.items[id];
}

uint32_t sites_count(const struct sites *sites)
{
	return (uint32_t)sites->table.nr;
}
