/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The break engine's table of breakpoints, and the passing of one. */
#include "breakpoint.h"

#include <errno.h>
#include <stdlib.h>

#include "../base/hash.h"

void breakpoints_deinit(struct breakpoints *breakpoints)
{
	free(breakpoints->table);
	slots_deinit(&breakpoints->slots);
	*breakpoints = (struct breakpoints){ 0 };
}

/* The place of an address in a table, or the free place where it belongs. */
static struct breakpoint *place_in(struct breakpoint *table, size_t room, taddr_t address)
{
	size_t i = hash_u64(address) & (room - 1);

	while (table[i].address && table[i].address != address)
		i = (i + 1) & (room - 1);
	return &table[i];
}

static struct breakpoint *place_of(const struct breakpoints *breakpoints, taddr_t address)
{
	return place_in(breakpoints->table, breakpoints->room, address);
}

struct breakpoint *breakpoint_find(const struct breakpoints *breakpoints, taddr_t address)
{
	struct breakpoint *place;

	if (!breakpoints->room)
		return NULL;
	place = place_of(breakpoints, address);
	return place->address ? place : NULL;
}

/* Moves all but one module's into a table with at least as much room.  Whole before it is there:
 * a crash handler may look into it at any time (target/rescue.h). */
static int rebuild(struct breakpoints *breakpoints, size_t room, uint32_t without_module)
{
	struct breakpoint *old = breakpoints->table;
	struct breakpoint *table = calloc(room, sizeof(*table));
	size_t nr = 0;

	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < breakpoints->room; i++) {
		if (!old[i].address || old[i].module == without_module)
			continue;
		*place_in(table, room, old[i].address) = old[i];
		nr++;
	}
	breakpoints->table = table;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	breakpoints->room = room;
	breakpoints->nr = nr;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	free(old);
	return 0;
}

static int make_room(struct breakpoints *breakpoints)
{
	if (breakpoints->nr * 2 < breakpoints->room)
		return 0;
	return rebuild(breakpoints, breakpoints->room ? breakpoints->room * 2 : 256, UINT32_MAX);
}

/* What the displaced instruction needs in the target before the int3 may go in. */
static int prepare_pass(struct breakpoints *breakpoints, struct memory *memory,
			struct breakpoint *breakpoint)
{
	switch (breakpoint->displaced.kind) {
	case DISPLACED_COPY:
	case DISPLACED_LEAVE:
		return slots_place(&breakpoints->slots, memory, breakpoint->module,
				   &breakpoint->displaced, &breakpoint->slot);
	case DISPLACED_RETURN:
		return slots_place_ret(&breakpoints->slots, memory, breakpoint->module,
				       &breakpoint->slot);
	default:
		return 0;
	}
}

static int create(struct breakpoints *breakpoints, struct memory *memory,
		  struct breakpoint *breakpoint)
{
	static const uint8_t trap[] = { ARCH_BREAKPOINT };
	uint8_t code[ARCH_INSTRUCTION_MAX];
	ssize_t got = memory->read.read(&memory->read, breakpoint->address, code, sizeof(code));
	int error;

	if (got <= 0)
		return -EFAULT;
	error = displaced_decode(code, (size_t)got, breakpoint->address, &breakpoint->displaced);
	if (!error)
		error = make_room(breakpoints);
	if (!error)
		error = prepare_pass(breakpoints, memory, breakpoint);
	if (!error)
		error = memory_patch(memory, breakpoint->address, trap, sizeof(trap));
	if (error)
		return error;
	*place_of(breakpoints, breakpoint->address) = *breakpoint;
	breakpoints->nr++;
	return 0;
}

int breakpoint_set(struct breakpoints *breakpoints, struct memory *memory, taddr_t address,
		   enum breakpoint_role role, uint32_t function, uint32_t module)
{
	struct breakpoint *known = breakpoint_find(breakpoints, address);
	struct breakpoint fresh = {
		.address = address, .roles = role, .function = function, .module = module,
	};

	if (!known)
		return create(breakpoints, memory, &fresh);
	if (role == BREAKPOINT_ENTRY)
		known->function = function;
	known->roles |= role;
	return 0;
}

static int emulate_call(const struct breakpoint *breakpoint, const struct thread *thread,
			arch_regs *regs)
{
	taddr_t back = breakpoint->address + breakpoint->displaced.length;

	regs->rsp -= sizeof(back);
	regs->rip = breakpoint->displaced.target;
	if (memory_write(&thread->process->memory, regs->rsp, &back, sizeof(back)))
		return -EFAULT;
	return thread_set_regs(thread, regs);
}

int breakpoint_pass(const struct breakpoint *breakpoint, const struct thread *thread,
		    arch_regs *regs)
{
	const struct displaced *displaced = &breakpoint->displaced;
	taddr_t next = breakpoint->address + displaced->length;

	switch (displaced->kind) {
	case DISPLACED_SKIP:
		regs->rip = next;
		break;
	case DISPLACED_JUMP:
		regs->rip = displaced->target;
		break;
	case DISPLACED_BRANCH:
		regs->rip = displaced_taken(displaced, regs->eflags) ? displaced->target : next;
		break;
	case DISPLACED_CALL:
		return emulate_call(breakpoint, thread, regs);
	case DISPLACED_RETURN:
	case DISPLACED_COPY:
	case DISPLACED_LEAVE:
		regs->rip = breakpoint->slot;
		break;
	}
	return thread_set_pc(thread, regs->rip);
}

taddr_t breakpoint_original_pc(const struct breakpoints *breakpoints, taddr_t pc,
			       const struct breakpoint **breakpoint)
{
	*breakpoint = NULL;
	if (!slots_contain(&breakpoints->slots, pc))
		return 0;
	for (size_t i = 0; i < breakpoints->room; i++) {
		const struct breakpoint *candidate = &breakpoints->table[i];
		taddr_t slot = candidate->slot;

		if (!slot || (pc != slot && pc != slot + candidate->displaced.length))
			continue;
		*breakpoint = pc == slot ? candidate : NULL;
		return candidate->address + (pc - slot);
	}
	return 0;
}

void breakpoints_forget_module(struct breakpoints *breakpoints, uint32_t module)
{
	slots_remove_module(&breakpoints->slots, module);
	/* Without memory for a smaller table the dead entries stay; they match nothing. */
	if (breakpoints->room)
		(void)rebuild(breakpoints, breakpoints->room, module);
}
