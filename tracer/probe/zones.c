/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looks for gaps between mappings: as near as possible, and in nobody's way. */
#include "zones.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../base/array.h"

_Static_assert(ZONE_SLOTS == 32, "a bit each in 32");

#define REACH (1ull << 30)
#define LOWEST 0x10000		/* vm.mmap_min_addr's default */
#define HIGHEST (1ull << 47)

static bool reaches(const struct module *module, taddr_t start, taddr_t end)
{
	return start < module->extent.end + REACH && end + REACH > module->extent.start;
}

taddr_t zones_take(struct zones *zones, const struct module *module)
{
	for (size_t i = 0; i < zones->nr; i++) {
		struct zone *zone = &zones->items[i];
		unsigned slot;

		if (zone->used == UINT32_MAX || !reaches(module, zone->start, zone->end))
			continue;
		slot = (unsigned)__builtin_ctz(~zone->used);
		zone->used |= 1u << slot;
		return zone->start + slot * ZONE_SLOT_BYTES;
	}
	return 0;
}

void zones_give_back(struct zones *zones, taddr_t slot)
{
	for (size_t i = 0; i < zones->nr; i++)
		if (slot >= zones->items[i].start && slot < zones->items[i].end)
			zones->items[i].used &=
				~(1u << (slot - zones->items[i].start) / ZONE_SLOT_BYTES);
}

struct zone_slot *zones_describe(struct zones *zones, taddr_t place)
{
	struct zone_slot *slot = NULL;

	for (size_t i = 0; i < zones->nr; i++) {
		struct zone *zone = &zones->items[i];

		if (place < zone->start || place >= zone->end)
			continue;
		zone->is_described = false;
		slot = &zone->slots[(place - zone->start) / ZONE_SLOT_BYTES];
		slot->nr = 0;
	}
	return slot;
}

int zone_slot_add(struct zone_slot *slot, uint32_t at, const struct rule *rule)
{
	if (slot->nr == ZONE_ROWS)
		return -ENOSPC;
	slot->rows[slot->nr++] = (struct zone_row){ .at = at, .rule = *rule };
	return 0;
}

/* How far a place in [start, end) is from the module, and which one is the nearest. */
static uint64_t nearest(const struct module *module, taddr_t start, taddr_t end, taddr_t *place)
{
	if (end <= module->extent.start) {
		*place = end - ZONE_BYTES;
		return module->extent.start - end;
	}
	*place = start;
	return start - module->extent.end;
}

/* The far end of a gap that is not free for all of it, as far as the module reaches; 0: it does
 * not reach the gap. */
static taddr_t far_end(const struct module *module, taddr_t start, taddr_t end)
{
	taddr_t reach = (module->extent.end + REACH - 2 * ZONE_BYTES) & ~(taddr_t)4095;
	taddr_t place = reach < end - ZONE_BYTES ? reach : end - ZONE_BYTES;

	return place >= start && reaches(module, place, place + ZONE_BYTES) ? place : 0;
}

static bool has_word(const struct mapping *mapping, const char *word)
{
	return mapping && !strncmp(mapping->path, word, strlen(word));
}

struct choice {
	taddr_t place, last_resort;
	uint64_t distance;
};

static void consider(struct choice *choice, const struct module *module,
		     const struct mapping *below, const struct mapping *above)
{
	taddr_t start = below ? below->end : LOWEST, end = above ? above->start : HIGHEST, place;
	uint64_t distance;

	if (end < start + ZONE_BYTES || has_word(above, "[stack"))
		return;
	distance = nearest(module, start, end, &place);
	/* Behind the program is where the heap will be, if there is none yet. */
	if (has_word(below, "[heap]") || (module->is_program && place >= module->extent.end)) {
		if (!choice->last_resort)
			choice->last_resort = far_end(module, start, end);
		return;
	}
	if (!reaches(module, place, place + ZONE_BYTES) || distance >= choice->distance)
		return;
	choice->distance = distance;
	choice->place = place;
}

taddr_t zone_choose(const struct maps *maps, const struct module *module)
{
	struct choice choice = { .distance = UINT64_MAX };

	for (size_t i = 0; i <= maps->nr; i++) {
		const struct mapping *below = i ? &maps->items[i - 1] : NULL;
		const struct mapping *above = i < maps->nr ? &maps->items[i] : NULL;

		if ((!below || below->end < HIGHEST) && (!above || above->start < HIGHEST))
			consider(&choice, module, below, above);
	}
	return choice.place ? choice.place : choice.last_resort;
}

taddr_t zone_choose_far(const struct maps *maps, size_t bytes)
{
	const uint64_t align = 2ull << 20;
	taddr_t best = 0, largest = bytes + 2 * align;

	for (size_t i = 0; i <= maps->nr; i++) {
		taddr_t start = i ? maps->items[i - 1].end : LOWEST;
		taddr_t end = i < maps->nr ? maps->items[i].start : HIGHEST;

		if (end > HIGHEST || end < start || end - start < largest)
			continue;
		largest = end - start;
		best = (start + (largest - bytes) / 2) & ~(align - 1);
	}
	return best;
}

int zones_add(struct zones *zones, taddr_t start)
{
	if (ARRAY_GROW(zones))
		return -ENOMEM;
	zones->items[zones->nr++] = (struct zone){
		.start = start, .end = start + ZONE_BYTES,
	};
	return 0;
}

bool zones_contain(const struct zones *zones, taddr_t pc)
{
	for (size_t i = 0; i < zones->nr; i++)
		if (pc >= zones->items[i].start && pc < zones->items[i].end)
			return true;
	return false;
}

void zones_deinit(struct zones *zones)
{
	free(zones->items);
	*zones = (struct zones){ 0 };
}
