/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The instruction that a breakpoint displaces: what kind it is and how its effect is had
 * without ever putting it back.  Most are copied to a slot and run there, followed by a jump
 * back; those that depend on where they stand are emulated by setting registers.
 *
 * Pure functions of bytes; any thread.
 */
#ifndef MEMTRACE_ARCH_X86_64_DISPLACED_H
#define MEMTRACE_ARCH_X86_64_DISPLACED_H

#include <sys/types.h>

#include "registers.h"

#define ARCH_BREAKPOINT 0xcc		/* int3; the trap is reported one byte after it */
#define ARCH_BREAKPOINT_BYTES 1
#define ARCH_INSTRUCTION_MAX 15		/* bytes; Intel SDM volume 2, 2.3.11 */
#define DISPLACED_SLOT_MAX (ARCH_INSTRUCTION_MAX + 14)

enum displaced_kind {
	DISPLACED_SKIP,		/* nop, endbr64: go on after it */
	DISPLACED_JUMP,		/* to target */
	DISPLACED_BRANCH,	/* to target where condition holds */
	DISPLACED_CALL,		/* of target */
	DISPLACED_RETURN,	/* near return that pops nothing but its address */
	DISPLACED_COPY,		/* anything that may run elsewhere */
	DISPLACED_LEAVE,	/* likewise, a jump to where a register or memory says */
};

struct displaced {
	enum displaced_kind kind;
	taddr_t address;
	taddr_t target;
	uint8_t condition;		/* the low 4 bits of the jcc opcode */
	uint8_t length;
	uint8_t bytes[ARCH_INSTRUCTION_MAX];
	uint8_t rip_displacement;	/* COPY, LEAVE: offset of a rip-relative disp32 in bytes, or 0 */
};

/* -ENOTSUP: cannot be displaced; -EINVAL: no instruction. */
int displaced_decode(const uint8_t *bytes, size_t nr_bytes, taddr_t address,
		     struct displaced *out);

/* COPY and LEAVE: the code for a slot at this address.  Its length, or -ERANGE where the slot is
 * out of reach of what the instruction refers to.  code has DISPLACED_SLOT_MAX bytes. */
ssize_t displaced_copy(const struct displaced *displaced, taddr_t slot, uint8_t *code);

/* BRANCH: would it be taken with these flags? */
bool displaced_taken(const struct displaced *displaced, uint64_t flags);

#endif
