/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The first instructions of a function, moved elsewhere so that a jump can take their place:
 *
 *     function: jmp stub          copy: first instructions, with what depends on their
 *               ...   <---------------  place made right, then a jump to what follows them
 *
 * Pure functions of bytes; any thread.
 */
#ifndef MEMTRACE_ARCH_X86_64_PROLOGUE_H
#define MEMTRACE_ARCH_X86_64_PROLOGUE_H

#include "displaced.h"

#define ARCH_JUMP_BYTES 5			/* jmp rel32 */
#define PROLOGUE_INSTRUCTIONS_MAX ARCH_JUMP_BYTES
#define PROLOGUE_BYTES_MAX (ARCH_JUMP_BYTES - 1 + ARCH_INSTRUCTION_MAX)
#define PROLOGUE_COPY_MAX (PROLOGUE_INSTRUCTIONS_MAX * DISPLACED_SLOT_MAX)

struct prologue {
	taddr_t address;
	uint8_t bytes;			/* of whole instructions: at least ARCH_JUMP_BYTES */
	uint8_t nr;
	bool ends;			/* the last one to run is a jump or a return */
	struct displaced instructions[PROLOGUE_INSTRUCTIONS_MAX];
	uint8_t copied_at[PROLOGUE_INSTRUCTIONS_MAX];	/* set by prologue_copy() */
	uint8_t copy_bytes;
};

/* `code` holds what lies at address, at least PROLOGUE_BYTES_MAX bytes where there are so many;
 * `limit` is the first address that is not the function's nor padding behind it.  -ENOTSUP: an
 * instruction cannot be moved, or there are not enough of them. */
int prologue_decode(const uint8_t *code, size_t nr_bytes, taddr_t address, taddr_t limit,
		    struct prologue *out);

/* The code for a copy at `place`: its length, or -ERANGE where that is too far away from what
 * the instructions refer to.  `code` has PROLOGUE_COPY_MAX bytes. */
ssize_t prologue_copy(struct prologue *prologue, taddr_t place, uint8_t *code);

/* The original bytes: out has prologue->bytes, at most PROLOGUE_BYTES_MAX. */
void prologue_bytes(const struct prologue *prologue, uint8_t *out);

/* A pc inside the prologue to its instruction in the copy at `place`, and back; 0: it is at no
 * instruction that is there.  The first instruction of the prologue maps to itself: there the
 * jump may be taken. */
taddr_t prologue_to_copy(const struct prologue *prologue, taddr_t place, taddr_t pc);
taddr_t prologue_to_original(const struct prologue *prologue, taddr_t place, taddr_t pc);

/* -ERANGE: too far. */
int arch_write_jump(uint8_t code[ARCH_JUMP_BYTES], taddr_t from, taddr_t to);

#endif
