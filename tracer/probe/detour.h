/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One function patched by a jump:
 *
 *     function: jmp stub       zone: stub   calls the agent, and `copy` in between
 *               ...                  copy   the function's first instructions, then jmp back
 *
 * Whether that is safe is decided from the whole function, before anything is written.
 * One thread.
 */
#ifndef MEMTRACE_PROBE_DETOUR_H
#define MEMTRACE_PROBE_DETOUR_H

#include "../agent/agent.h"
#include "../arch/arch.h"
#include "../target/memory.h"
#include "functions.h"
#include "implant.h"
#include "zones.h"

struct detour {
	uint32_t function, module;
	struct prologue prologue;
	taddr_t stub, copy, end;	/* in a slot of a zone; stub is where that begins */
};

/* Why a function cannot be patched so. */
enum detour_refusal {
	DETOUR_SAFE,
	DETOUR_THROWS,		/* an exception may leave it, and the stub has no unwind data */
	DETOUR_UNDECODABLE,
	DETOUR_UNMOVABLE,	/* its first instructions */
	DETOUR_ENTERED,		/* something jumps or begins within them */
	DETOUR_UNREADABLE,	/* its code, or its file's */
	DETOUR_BEYOND,		/* its number does not fit a record */
	DETOUR_CHANGED,		/* it is not what the file says: somebody else has patched it */
};

const char *detour_words(enum detour_refusal refusal);

/* DETOUR_SAFE: *out is ready for detour_place().  `file` reads the module's file by addresses in
 * the target. */
enum detour_refusal detour_plan(const struct functions *functions, uint32_t function,
			const struct memread *code, const struct memread *file,
			struct detour *out);

/* Its stub goes on to the function by a jump (agent_jump in agent/entry.S). */
bool detour_is_left_for_good(const struct function *function);

/* Writes stub and copy into a slot of a zone; the function itself is not touched yet. */
int detour_place(struct detour *detour, const struct function *function, struct memory *memory,
		 taddr_t slot, const struct implant *implant);

/* Writes the jump.  All threads held, and none of them within the bytes it takes. */
int detour_arm(const struct detour *detour, struct memory *memory);

/* For a tracer to come: what it must know to undo it, and back.  -EINVAL: that makes no sense. */
void detour_note(const struct detour *detour, struct agent_inventory_detour *out);
int detour_recall(const struct agent_inventory_detour *noted, struct detour *out);
/* Writes the original bytes where the jump still is. */
int detour_undo(const struct detour *detour, struct memory *memory);
/* What lies there begins as a zone does. */
bool detour_is_zone(const struct memread *code, taddr_t place);

/* A pc in the patched bytes to the copy, and one in the copy back; 0: it is in neither. */
taddr_t detour_enter(const struct detour *detour, taddr_t pc);
taddr_t detour_leave(const struct detour *detour, taddr_t pc);

#endif
