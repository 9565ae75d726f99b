/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pointers to the inside of a block that count as pointers to its start: a program that holds a
 * std::string of the old ABI, an array with its length before it, or a second base class, has no
 * other.  The cases are valgrind's (Memcheck manual, --leak-check-heuristics), the layouts those of
 * libstdc++ and of the Itanium C++ ABI (2.5.3 virtual table components, 2.7 array cookies).
 */
#ifndef MEMTRACE_SCAN_INSIDE_H
#define MEMTRACE_SCAN_INSIDE_H

#include "blocks.h"
#include "space.h"

enum {
	INSIDE_STDSTRING = 1 << 0,	/* the text behind length, capacity and count of a string */
	INSIDE_LENGTH64 = 1 << 1,	/* what lies behind its size in eight bytes */
	INSIDE_NEWARRAY = 1 << 2,	/* an array of objects behind their number */
	INSIDE_MULTIPLEINHERITANCE = 1 << 3, /* a base class that is not the first */
	INSIDE_ALL = 15,
};

/* Whether a pointer behind the block's start is one of these (any of INSIDE_*). */
bool inside_counts(const struct space *space, const struct scan_block *block, taddr_t pointer,
		   unsigned heuristics);

#endif
