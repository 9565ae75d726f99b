/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The allocator calls that one thread has under way, innermost last.  A call is known by the
 * stack pointer at its first instruction, where its return address lies: recursion, nesting,
 * longjmp and signal handlers that allocate all differ there.
 *
 * Usually there is none or one.  More come about where a signal handler allocates while the
 * code it interrupted was inside the allocator.  A call that was left by longjmp or by an
 * exception stays until the next entry shows that its frame is gone.
 *
 * Plain data, owned by struct thread; one thread.
 */
#ifndef MEMTRACE_PROBE_CALLS_H
#define MEMTRACE_PROBE_CALLS_H

#include "../unwind/walk.h"
#include "functions.h"

#define CALLS_MAX 16

struct call {
	uint32_t function;	/* index into the probe's functions */
	taddr_t sp;
	taddr_t pointer;	/* block to be resized, or where the result goes */
	uint64_t size;
	bool is_nested;		/* it does not count: only where its block is */
};

struct calls {
	struct call items[CALLS_MAX];
	uint32_t nr;
	/* A free whose entry must be run again, since a signal came before its first
	 * instruction: it has been told of already. */
	taddr_t free_again_sp, free_again_pointer;
	uint64_t muted_fs;	/* jump_mute() is in force for this fs base; 0: it is not */
};

enum call_relation {
	CALL_OUTERMOST,		/* a signal handler's: the other one waits beneath */
	CALL_NESTED,		/* made by it */
	CALL_STALE,		/* its frame is gone: drop it */
};

/* How a new entry, whose stack is `walk`, relates to a call of `function` under way, whose
 * return address lies at `slot`. */
enum call_relation calls_relate(const struct function *function, taddr_t slot,
				const struct walk *walk);

/* Room is left for the calls of handlers. */
static inline bool calls_take_nested(const struct calls *calls)
{
	return calls->nr < CALLS_MAX - 4;
}

/* False when it is full. */
bool calls_push(struct calls *calls, const struct call *call);

/* Index of the call whose return address lies at sp; -1 if there is none. */
int calls_find(const struct calls *calls, taddr_t sp);

#endif
