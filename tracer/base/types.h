/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two address types that everything shares, and what the ABI says of the stack.
 *
 * taddr_t is an address in the target: never a pointer, so that the compiler refuses to
 * follow it.  code_t is a place in the target's code that stays unique for a whole run:
 * a library closed and another one loaded in its place have different module ids.
 *
 *      63            48 47                                 0
 *     +----------------+------------------------------------+
 *     |   module id    |        address in the target       |
 *     +----------------+------------------------------------+
 *
 * Module id 0 means "in no module known".  User addresses have 47 bits on x86-64 unless a
 * program asks for more by hint (five-level paging); such an address becomes 0.
 */
#ifndef MEMTRACE_BASE_TYPES_H
#define MEMTRACE_BASE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t taddr_t;
typedef uint64_t code_t;

/* Set in the address of a block of a function that the user has named: such blocks may lie in
 * others, at the same address.  Events and the heap tell the two apart by it. */
#define ADDRESS_POOL (1ull << 47)

/* Below a stack pointer, and left as it is: System V ABI, AMD64 supplement, 3.2.2. */
#define RED_ZONE_BYTES 128

#define CODE_ADDRESS_BITS 48
#define CODE_MODULES_MAX 0xffff

static inline code_t code_make(uint32_t module, taddr_t pc)
{
	return pc >> CODE_ADDRESS_BITS ? 0 : (code_t)module << CODE_ADDRESS_BITS | pc;
}

static inline uint32_t code_module(code_t code)
{
	return (uint32_t)(code >> CODE_ADDRESS_BITS);
}

static inline taddr_t code_pc(code_t code)
{
	return code & ((1ULL << CODE_ADDRESS_BITS) - 1);
}

#endif
