/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How the agent leaves a target: threads are moved out of the copies, and when none is in a stub
 * or in the agent any more, all of it is unmapped.
 */
#include "jump_parts.h"

#include <errno.h>
#include <stdlib.h>

#include "../unwind/walk.h"
#include "evacuate.h"

static taddr_t out_of_copies(void *owner, taddr_t pc)
{
	const struct jump *jump = owner;

	for (size_t i = 0; i < jump->nr_armed; i++) {
		taddr_t to = detour_leave(&jump->detours.items[i], pc);

		if (to)
			return to;
	}
	return pc;
}

bool jump_concerns(void *owner, taddr_t pc)
{
	const struct jump *jump = owner;

	return implant_contains(&jump->implant, pc) || zones_contain(&jump->zones, pc);
}

static bool walks_to_us(struct jump *jump, const struct walk *walk)
{
	for (uint32_t i = 0; i < walk->nr; i++)
		if (jump_concerns(jump, code_pc(walk->frames[i])))
			return true;
	return false;
}

/* As the agent has it: a call that it saw begin, whose stub's frame is still what it was. */
static bool is_called_by_us(const struct jump *jump, const arch_regs *regs)
{
	const struct memory *memory = &jump->process->memory;
	struct agent_call calls[AGENT_CALLS];
	int nr = implant_calls(&jump->implant, memory, regs->fs_base, calls);
	taddr_t word;

	for (int i = 0; i < nr; i++)
		if (calls[i].sp > regs->rsp &&
		    memread_exact(&memory->read, calls[i].sp - AGENT_WRAP_BYTES - sizeof(word),
				  &word, sizeof(word)) && zones_contain(&jump->zones, word))
			return true;
	return nr < 0;
}

/* Where the stack cannot be followed to its end, the agent's own notes have to do: they may be
 * of calls that were left by longjmp. */
bool jump_returns(void *owner, const struct thread *thread, const arch_regs *regs, bool is_framed)
{
	const struct unwind_start start = { .pc = regs->rip, .sp = regs->rsp, .fp = regs->rbp };
	struct jump *jump = owner;
	struct walk *walk = malloc(sizeof(*walk));
	bool ours;

	if (!walk)
		return true;
	walk->nr = 0;
	walk->end = WALK_LOST;
	if (jump->options.walker)
		walk_from_stop(jump->options.walker, &jump->process->memory.read, &start,
			       WALK_DEPTH_MAX, walk);
	ours = walks_to_us(jump, walk) ||
	       (walk->end != WALK_OUTERMOST && (is_framed || is_called_by_us(jump, regs)));
	free(walk);
	return ours;
}

static size_t move_out(struct jump *jump)
{
	const struct evacuation evacuation = {
		.moved = out_of_copies, .concerns = jump_concerns, .returns = jump_returns,
		.owner = jump,
	};
	size_t nr_inside;

	evacuate(jump->process, &evacuation, &nr_inside);
	return nr_inside;
}

int jump_disarm(struct jump *jump)
{
	int error;

	if (!jump->implant.base)
		return 0;
	error = implant_enable(&jump->implant, &jump->process->memory, false);
	(void)move_out(jump);
	return error;
}

static int unmap_zones(const struct zones *zones, struct inject *inject)
{
	int error = 0;

	for (size_t i = 0; i < zones->nr; i++) {
		int failed = inject_unmap(inject, zones->items[i].start, ZONE_BYTES);

		error = error ? error : failed;
	}
	return error;
}

int jump_leave(struct jump *jump)
{
	struct inject inject;
	int error, closed;

	if (!jump->implant.base && !jump->zones.nr)
		return 0;
	if (move_out(jump))
		return -EBUSY;
	if (!parachute_holds(&jump->process->memory, &jump->code))
		jump->code = parachute_find(&jump->process->memory);
	error = inject_open(&inject, jump->targets, jump->process, &jump->code);
	if (error)
		return error == -EAGAIN ? -EBUSY : error;
	error = unmap_zones(&jump->zones, &inject);
	if (!error)
		error = implant_remove(&jump->implant, &inject);
	closed = inject_close(&inject);
	if (!error)
		jump->zones.nr = 0;
	return error ? error : closed;
}

int jump_leave_child(const struct jump *jump, struct process *child)
{
	struct jump copy = *jump;
	struct inject inject;
	int error, closed;

	if (!jump->implant.base)
		return 0;
	copy.process = child;
	if (move_out(&copy))
		return -EBUSY;
	error = inject_open(&inject, jump->targets, child, &jump->code);
	if (error)
		return error;
	error = unmap_zones(&copy.zones, &inject);
	if (!error)
		error = implant_remove(&copy.implant, &inject);
	closed = inject_close(&inject);
	return error ? error : closed;
}
