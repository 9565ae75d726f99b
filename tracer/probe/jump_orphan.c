/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An agent whose tracer was killed: everything that is needed to take it out is in its
 * inventory, in the target.  Nothing there is believed but what can be seen to be so.
 */
#include "jump_parts.h"

#include <errno.h>
#include <stdlib.h>

#include "../base/array.h"

/* A place that was noted, but never mapped or unmapped again, may be somebody else's by now. */
static bool is_zone(const struct jump *jump, const struct maps *maps, taddr_t place)
{
	for (size_t i = 0; i < maps->nr; i++) {
		const struct mapping *mapping = &maps->items[i];

		if (mapping->start <= place && mapping->end >= place + ZONE_BYTES)
			return mapping->executable && !mapping->inode &&
			       detour_is_zone(&jump->process->memory.read, place);
	}
	return false;
}

static int adopt_zones(struct jump *jump, const struct maps *maps)
{
	int error = 0;

	for (uint32_t i = 0; !error && i < jump->inventory->nr_zones; i++)
		if (is_zone(jump, maps, jump->inventory->zones[i]))
			error = zones_add(&jump->zones, jump->inventory->zones[i]);
	return error;
}

static int adopt_detours(struct jump *jump)
{
	for (uint32_t i = 0; i < jump->inventory->nr_detours; i++) {
		struct detour detour;

		if (detour_recall(&jump->inventory->detours[i], &detour) ||
		    !zones_contain(&jump->zones, detour.stub))
			continue;
		if (ARRAY_GROW(&jump->detours))
			return -ENOMEM;
		jump->detours.items[jump->detours.nr++] = detour;
	}
	jump->nr_armed = jump->detours.nr;
	return 0;
}

static int adopt(struct jump *jump, const struct maps *maps)
{
	int error = implant_read_inventory(&jump->implant, &jump->process->memory,
					   jump->inventory);

	/* Nothing was done yet, or all undone. */
	if (error == -ENOEXEC)
		return 0;
	if (!error)
		error = adopt_zones(jump, maps);
	return error ? error : adopt_detours(jump);
}

bool jump_has_orphan(const struct process *process)
{
	struct implant implant;
	struct maps maps;
	bool found;

	if (maps_of(&maps, &process->memory))
		return false;
	found = implant_find(&implant, &maps);
	maps_release(&maps);
	return found;
}

int jump_adopt(struct targets *targets, struct process *process, struct jump **out)
{
	struct jump *jump = calloc(1, sizeof(*jump));
	struct maps maps = { 0 };
	int error = -ENOMEM;

	if (jump)
		jump->inventory = calloc(1, sizeof(*jump->inventory));
	if (jump)
		jump->implant.fd = -1;
	if (jump && jump->inventory) {
		jump->targets = targets;
		jump->process = process;
		jump->code = parachute_find(&process->memory);
		error = maps_of(&maps, &process->memory);
		if (!error)
			error = implant_find(&jump->implant, &maps) ? adopt(jump, &maps) : -ENOENT;
	}
	maps_release(&maps);
	if (error)
		jump_destroy(jump);
	else
		*out = jump;
	return error;
}

int jump_restore(struct jump *jump)
{
	int error = 0;

	for (size_t i = 0; i < jump->detours.nr; i++) {
		int failed = detour_undo(&jump->detours.items[i], &jump->process->memory);

		error = error ? error : failed;
	}
	return error;
}
