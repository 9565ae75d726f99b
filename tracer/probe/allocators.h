/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The allocation functions by name: what each one takes, gives and means.  A table of those that
 * are known and of those that the user has named; its rows' symbols are what the symbolizer is
 * asked to look for.  Constant once the symbolizer has been started.
 */
#ifndef MEMTRACE_PROBE_ALLOCATORS_H
#define MEMTRACE_PROBE_ALLOCATORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../agent/agent.h"

#define ALLOCATORS_NAMED_MAX 64		/* by the user */

enum allocator_call {
	CALL_ALLOC,	/* size in size_argument; result: the block */
	CALL_ALLOC_ARRAY, /* size is size_argument times the argument before it */
	CALL_ALLOC_INTO, /* posix_memalign: result 0: the block is at *pointer_argument */
	CALL_RESIZE,	/* of pointer_argument, to size_argument */
	CALL_RESIZE_ARRAY,
	CALL_FREE,	/* of pointer_argument */
	/* No allocation: */
	CALL_LOADER,	/* the dynamic loader tells debuggers of a change */
	CALL_CATCH,	/* an exception has been caught; the calls that it left are over */
};

struct allocator_function {
	const char *symbol;
	const char *name;	/* as reports show it */
	enum allocator_call call;
	uint8_t size_argument, pointer_argument;	/* counted from 0; or AGENT_NO_SIZE */
	bool needs_malloc;	/* counts only in a module that defines malloc: libstdc++'s
				 * operator new calls malloc and is not an allocator's */
	bool throws;		/* an exception may leave it */
	bool may_be_local;	/* no program means anything else by that name */
	bool is_named;		/* by the user */
	bool is_pool;		/* its blocks may lie in other functions' blocks (ADDRESS_POOL) */
};

static inline bool allocator_counts(const struct allocator_function *function)
{
	return function->call < CALL_LOADER;
}

static inline int allocator_resizes(const struct allocator_function *function)
{
	return function->call == CALL_RESIZE || function->call == CALL_RESIZE_ARRAY;
}

/* In the order in which a name is chosen where several stand for one address. */
const struct allocator_function *allocator_function(size_t number);
size_t allocator_functions_nr(void);

/* A function that the user has named: CALL_ALLOC, of a size in `argument` (from 0, or
 * AGENT_NO_SIZE), or CALL_FREE, of the pointer in it.  A name that is known otherwise means this
 * one from now on.  The name is copied, and kept for good.  0, -ENOMEM or -ENOSPC. */
int allocators_add(const char *name, size_t name_bytes, enum allocator_call call,
		   unsigned argument);

/* The rows' symbols, in the same order. */
const char *const *allocator_symbols(void);

#endif
