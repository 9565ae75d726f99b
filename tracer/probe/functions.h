/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The allocation functions that a process really has, by address, and what must be known to
 * probe each one: where it returns, and to which other functions it hands its call on.
 *
 * A function that ends in a jump to another one returns there; such tails are followed, and
 * the returns of all of them are returns of the function.  That a return belongs to a call is
 * told by the stack pointer, so others may share them.
 *
 * One thread.  Ownership: functions_deinit() frees all.
 */
#ifndef MEMTRACE_PROBE_FUNCTIONS_H
#define MEMTRACE_PROBE_FUNCTIONS_H

#include "../arch/arch.h"
#include "../target/modules.h"
#include "../unwind/map.h"
#include "allocators.h"

/* A contiguous piece of a function's code: its own, or a tail's. */
struct function_piece {
	taddr_t start, end;
};

struct function {
	const struct allocator_function *kind;
	const struct module *module;
	taddr_t address;
	uint64_t size_bytes;		/* as the symbol says; 0: it does not */
	struct flow_addresses returns;	/* ret instructions */
	struct flow_addresses tails;	/* every address it may hand its call on to */
	struct flow_addresses calls;	/* whom its own body calls directly */
	struct {
		struct function_piece *items;
		size_t nr, room;
	} pieces;
	taddr_t first_target;		/* as in struct flow, of its own body */
	bool undecodable;		/* its own body */
	bool returns_known;		/* false: an indirect jump may hide some of them */
	bool tails_unknown;		/* likewise */
	bool calls_unknown;		/* its own body calls through a pointer or a PLT */
	bool may_nest;			/* a call of it may make one of another in the table */
	bool throws;			/* an exception may leave it */
	bool explored;			/* false: its code could not be read at the time */
	bool returns_watched;		/* by breakpoints: all of them */
	bool tried;			/* to arm it */
	bool armed;
	bool jumps;			/* ... by the jump engine */
};

struct functions {
	struct function *items;
	size_t nr, room;
};

/* Appends the functions that a module newly seen defines. */
int functions_find(struct functions *functions, const struct module *module);

/* Follows the code of one; to be done before any breakpoint is in its module.  Again where the
 * code could not be read, since the module was gone already. */
int function_explore(struct function *function, const struct memread *code,
		     const struct unwind_map *map);

/* True if a call of `outer` may become one of another function, at `address`, by jumps alone. */
bool function_hands_on_to(const struct function *outer, taddr_t address);

/* Whether calls from its own module are the allocator's, or the C library's: those from the program
 * may be anybody's. */
static inline bool function_has_own(const struct function *function)
{
	return !function->module->is_program;
}

/* True if pc lies in its code, tails included. */
bool function_covers(const struct function *function, taddr_t pc);

/* To be called when the table has grown: sets may_nest of all. */
void functions_relate(struct functions *functions);

void functions_deinit(struct functions *functions);

#endif
