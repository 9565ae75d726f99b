/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The allocation functions by name: what each one takes, gives and means.  A constant table;
 * its rows' symbols are what the symbolizer is asked to look for.
 */
#ifndef MEMTRACE_PROBE_ALLOCATORS_H
#define MEMTRACE_PROBE_ALLOCATORS_H

#include <stddef.h>
#include <stdint.h>

enum allocator_call {
	CALL_ALLOC,	/* size in size_argument; result: the block */
	CALL_ALLOC_ARRAY, /* size is size_argument times the argument before it */
	CALL_ALLOC_INTO, /* posix_memalign: result 0: the block is at *pointer_argument */
	CALL_RESIZE,	/* of pointer_argument, to size_argument */
	CALL_RESIZE_ARRAY,
	CALL_FREE,	/* of pointer_argument */
	CALL_LOADER,	/* no allocation: the dynamic loader tells debuggers of a change */
};

struct allocator_function {
	const char *symbol;
	const char *name;	/* as reports show it */
	enum allocator_call call;
	uint8_t size_argument, pointer_argument;	/* counted from 0 */
	uint8_t needs_malloc;	/* counts only in a module that defines malloc: libstdc++'s
				 * operator new calls malloc and is not an allocator's */
	uint8_t throws;		/* an exception may leave it */
};

static inline int allocator_resizes(const struct allocator_function *function)
{
	return function->call == CALL_RESIZE || function->call == CALL_RESIZE_ARRAY;
}

/* In the order in which a name is chosen where several stand for one address. */
extern const struct allocator_function allocator_functions[];
extern const size_t allocator_functions_nr;

/* The rows' symbols, in the same order. */
const char *const *allocator_symbols(void);

#endif
