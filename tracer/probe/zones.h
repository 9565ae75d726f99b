/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Places in the target's address space for code of ours that jumps must reach: within 1 GiB of
 * the module patched, so that what its instructions refer to is in reach from there, too.
 *
 * One thread.  Ownership: zones_deinit() frees the list, not the mappings.
 */
#ifndef MEMTRACE_PROBE_ZONES_H
#define MEMTRACE_PROBE_ZONES_H

#include "../../symbolizer/rules.h"
#include "../target/maps.h"
#include "../target/modules.h"

#define ZONE_SLOT_BYTES 1024
#define ZONE_SLOTS 32
#define ZONE_BYTES (ZONE_SLOT_BYTES * ZONE_SLOTS)

/* How a frame is left from this offset in the slot on, up to the next row's. */
struct zone_row {
	uint32_t at;
	struct rule rule;
};

#define ZONE_ROWS 40

struct zone_slot {
	uint32_t nr;		/* rows, in order; 0: nothing was written there yet */
	struct zone_row rows[ZONE_ROWS];
};

struct zone {
	taddr_t start, end;
	uint32_t used;		/* a bit for each slot */
	bool is_described;	/* rules are those of its slots */
	const struct rules *rules;	/* published last, as the tracer has them; NULL: none */
	/* A slot given back keeps its rows, as it keeps its code, until it is used again. */
	struct zone_slot slots[ZONE_SLOTS];
};

struct zones {
	struct zone *items;
	size_t nr, room;
};

/* A slot that the module reaches; 0: there is none left. */
taddr_t zones_take(struct zones *zones, const struct module *module);
void zones_give_back(struct zones *zones, taddr_t slot);

/* Empties the rows of a slot that was taken, to be filled with zone_slot_add(). */
struct zone_slot *zones_describe(struct zones *zones, taddr_t slot);
/* In order; -ENOSPC: that were too many. */
int zone_slot_add(struct zone_slot *slot, uint32_t at, const struct rule *rule);

/* An address for a new one; 0: there is no gap within reach.  Gaps that the heap or a stack
 * will grow into are not used, or at their far end if there is no other. */
taddr_t zone_choose(const struct maps *maps, const struct module *module);

/* An address for what may be anywhere: in the middle of the largest gap, where neither heap nor
 * libraries will come to.  0: there is none of that size. */
taddr_t zone_choose_far(const struct maps *maps, size_t bytes);

int zones_add(struct zones *zones, taddr_t start);
bool zones_contain(const struct zones *zones, taddr_t pc);
void zones_deinit(struct zones *zones);

#endif
