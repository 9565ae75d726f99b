/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the jump engine puts into the target, seen from both sides: the agent, which runs
 * there, and the tracer, which placed it.
 *
 *   agent block (private, anonymous)              zones (private, near the functions patched)
 *   +-------------------------+ base              +---------------------------+ r-x
 *   | text       r-x          |                   | stub | displaced code     |
 *   +-------------------------+ + TEXT_BYTES      | stub | displaced code ... |
 *   | struct agent_state  rw- |                   +---------------------------+
 *   | (zero in a fork child)  |
 *   +-------------------------+
 *
 *   shared memory (a memfd; the tracer has all of it rw-)
 *   +-------------------------+ 0
 *   | struct agent_shared rw- |  rings, interned stacks, heartbeat
 *   +-------------------------+ AGENT_RULES_OFFSET
 *   | rules, maps         r-- |  AGENT_RULES_BYTES
 *   +-------------------------+
 *
 * A call of a patched function jumps to its stub; the stub calls agent_before(), then the real
 * function, then agent_after() (arch/x86_64: agent/entry.S).  An event is one record in a ring.
 * The ring follows from the block's address, so that the events of one address keep their order
 * over all threads: reserving a place orders them.
 *
 * Agent side: any thread of the target, at any time, also in signal handlers.  No system call,
 * no libc, no TLS, no vector register, at most 512 bytes of the target's stack, nothing read
 * outside the thread's stack.  A hook never fails: what it cannot do it counts.
 */
#ifndef MEMTRACE_AGENT_H
#define MEMTRACE_AGENT_H

#include "../base/types.h"
#include "../unwind/map.h"

#define AGENT_TEXT_BYTES 0x10000
#define AGENT_RINGS 8
#define AGENT_RING_RECORDS (1u << 18)
#define AGENT_RING_MARGIN 4096		/* threads that may be between the check and the claim */
#define AGENT_NODES (3u << 20)
#define AGENT_NODE_PLACES (1u << 22)
#define AGENT_THREADS 2048		/* a power of two */
#define AGENT_THREAD_PROBES 8
#define AGENT_CALLS 8
#define AGENT_FUNCTIONS 4096u
#define AGENT_ARGUMENTS 6u		/* in registers */
#define AGENT_FRAMES 512
#define AGENT_SMALL_FRAMES 64
#define AGENT_CACHES 4
#define AGENT_CACHE_ENTRIES (1u << 14)
#define AGENT_GAPS 4096
#define AGENT_SAMPLED (1u << 16)
#define AGENT_SAMPLED_WAYS 8u
#define AGENT_SAMPLED_LINES (AGENT_SAMPLED / AGENT_SAMPLED_WAYS)
#define AGENT_RULES_BYTES (256ul << 20)

/* Module id of the agent's own code: such frames are in no recorded stack. */
#define AGENT_MODULE CODE_MODULES_MAX

/* Events: what a record says of its address. */
enum agent_kind {
	AGENT_NOTHING,		/* never written */
	AGENT_ALLOC,		/* address, size, stack */
	AGENT_FREE,		/* address: about to be freed; origin in place of the size; for some
				 * also the stack: agent_state */
	AGENT_FREE_INSIDE,	/* likewise, or resized, by a call that another one makes */
	AGENT_RESIZE_BEGIN,	/* address: a realloc of it begins in this thread; else as FREE */
	AGENT_RESIZE_DONE,	/* address: the old block is gone; an ALLOC tells of the new one */
	AGENT_RESIZE_FAILED,	/* address: the old block lives on; the size asked for */
	AGENT_FAILED,		/* address 0: an allocation that returned no memory; likewise, and
				 * with callers the stack */
	AGENT_ALLOC_INSIDE,	/* address: allocated, or kept by a resize that failed, by a call that
				 * another one makes; 0: some block, of which no more is known */
	AGENT_OWN,		/* written by the tracer, which knows what its node means */
};

/*
 * 32 bytes, committed by the store of lap_address.
 *
 *   lap_address    63..48 lap, 47..0 address        lap = index / AGENT_RING_RECORDS + 1, as 16
 *   kind_size      63..52 function, 51..48 kind,    bits and never 0: agent_lap()
 *                  47..0 size in bytes (at most 2^48 - 1), or the origin of a free: 46..0 its
 *                  return address or 0, 47 AGENT_FROM_OWN
 *   thread_stack   63..32 thread (its place in agent_state.threads; AGENT_THREADS: unknown),
 *                  31..0 node
 *   time_ns        agent_shared.now_ns as it was
 */
struct agent_record {
	uint64_t lap_address, kind_size, thread_stack, time_ns;
};

/* Of a free: the call comes from the module of the function itself. */
#define AGENT_FROM_OWN (1ull << 47)

#define AGENT_ADDRESS_BITS 48
#define AGENT_ADDRESS_MASK ((1ull << AGENT_ADDRESS_BITS) - 1)

static inline uint64_t agent_lap(uint64_t index)
{
	return index / AGENT_RING_RECORDS % 0xffff + 1;
}

static inline unsigned agent_ring_of(taddr_t address)
{
	return address >> 26 & (AGENT_RINGS - 1);	/* 64 MiB: a glibc arena's heap */
}

/* Indexes count up for ever; a place is index modulo AGENT_RING_RECORDS. */
struct agent_ring {
	uint64_t claimed __attribute__((aligned(64)));	/* agents: next index to claim */
	uint64_t taken __attribute__((aligned(64)));	/* tracer: next index to take */
	uint64_t taken_seen __attribute__((aligned(64))); /* agents: taken, when last looked at */
};

/*
 * A stack is a path in a tree, from its outermost frame (nearest to a root) to the line that
 * called the allocator; equal stacks have the same node.  Frame and parent are written once and
 * then never changed; a node is there for whoever got its number from a record.
 */
struct agent_node {
	code_t frame;		/* as in struct walk */
	uint32_t parent;
	uint32_t child;		/* that was looked for last: a guess, for agents */
};

#define AGENT_ROOT 0		/* the walk reached the outermost frame, or could not go on */
#define AGENT_ROOT_CUT 1	/* there are frames further out */
#define AGENT_FIRST_NODE 2

/*
 * The stack that the C library gave to a thread, known by the thread's fs base.  An agent that
 * meets a thread for the first time looks here; key is written last.  Places as in
 * agent_state.threads: agent_thread_place().
 */
struct agent_stack {
	uint64_t key;		/* 0: a free place, or one that is being changed */
	taddr_t low, high;
	uint64_t tid;
};

/* The i-th place to look for a thread, i < AGENT_THREAD_PROBES. */
static inline unsigned agent_thread_place(uint64_t key, unsigned i)
{
	return ((unsigned)(key * 0x9e3779b97f4a7c15ull >> 40) + i) & (AGENT_THREADS - 1);
}

struct agent_shared {
	/* Written by the tracer. */
	uint64_t now_ns __attribute__((aligned(64)));	/* since the attach: clock and heartbeat,
							 * never 0, moves at least every 20 ms */
	taddr_t map;			/* of the current struct agent_map, in the target */
	uint32_t loader_done;		/* loader_requests that have been handled */

	/* Written by agents. */
	uint64_t stalled_ns __attribute__((aligned(64))); /* now_ns at which a wait was in vain */
	/* A wait that goes on: when it began, and now_ns then.  Who is interrupted in it by a
	 * handler that does not return need not begin again. */
	uint64_t wait_cycles, wait_ns;
	uint64_t dropped;		/* events for which there was no room */
	uint64_t unread;		/* stacks cut short, since they lie on no stack known */
	uint32_t loader_requests;	/* calls of _dl_debug_state so far */
	uint32_t nr_nodes;		/* claimed, from AGENT_FIRST_NODE on */
	uint64_t waited_cycles;		/* TSC cycles of all threads on a processor that waited for room
					 * in a ring, or for the tracer's look at the modules */

	struct agent_ring rings[AGENT_RINGS];
	struct agent_stack stacks[AGENT_THREADS];	/* written by the tracer */
	uint32_t places[AGENT_NODE_PLACES];	/* hash table of nodes; 0: free */
	struct agent_node nodes[AGENT_NODES];
	struct agent_record records[AGENT_RINGS][AGENT_RING_RECORDS];
};

#define AGENT_PAGE 4096ul
#define AGENT_RULES_OFFSET ((sizeof(struct agent_shared) + AGENT_PAGE - 1) & ~(AGENT_PAGE - 1))
#define AGENT_SHARED_BYTES (AGENT_RULES_OFFSET + AGENT_RULES_BYTES)

/* Executable memory and its rules; pointers are the target's.  Never changed once published. */
struct agent_map {
	uint32_t generation;	/* counts up with each map; chooses the cache */
	uint32_t nr;
	struct unwind_range ranges[];	/* sorted */
};

struct agent_call {
	taddr_t sp;		/* at the function's first instruction: its return address is there */
	uint32_t function;
	uint32_t tell;		/* calls.h: what is to be told when it returns */
};

/* One frame of the last stack of a thread: what the walker had found when it got there, and
 * which words of the stack it had from. */
struct agent_frame {
	taddr_t pc, sp, fp;	/* sp - 8 is where pc was read */
	taddr_t fp_slot;	/* where fp was read; 0: it was unchanged */
	uint32_t node;
	uint32_t flags;		/* stack.c */
};

/* In this order, so that a thread with stacks of ordinary depth touches one page of it: the end of
 * `fresh`, what lies between, and the start of `frames`. */
struct agent_thread {
	uint8_t unused[1344];
	struct agent_frame fresh[AGENT_FRAMES];	/* scratch: innermost last */
	uint64_t key;			/* fs base; 0: a free place.  Freed by the tracer only */
	taddr_t low, high;		/* from agent_shared.stacks; 0: not known yet */
	uint32_t level;			/* hooks under way: more than one in a signal handler */
	uint32_t nr_calls;
	taddr_t level_sp;		/* sp of the hook that has level 1 */
	uint64_t random;
	int64_t sample_left;		/* bytes until the next sample */
	struct agent_call calls[AGENT_CALLS];
	uint32_t generation;		/* of the map that `frames` was found with */
	uint32_t nr_frames;		/* outermost first */
	struct agent_frame frames[AGENT_FRAMES];
	struct agent_frame small[AGENT_SMALL_FRAMES];	/* scratch of level 2: innermost last */
} __attribute__((aligned(4096)));

struct agent_state {
	uint32_t enabled;		/* 0: pass through, also in every fork child */
	uint32_t has_fsbase;		/* rdfsbase may be used */
	struct agent_shared *shared;
	taddr_t main_low, main_high;	/* the first thread's stack */
	uint64_t wait_cycles;		/* TSC cycles of 1 ms: the longest wait for room in a ring */
	uint32_t depth;			/* innermost frames that must be right */
	/* For a log: every record has a stack, not only those of blocks, and all are in ring 0, in
	 * one order for all addresses. */
	uint32_t callers;
	/* Each FREE and RESIZE_BEGIN has a stack.  Those with AGENT_FROM_OWN always have. */
	uint32_t free_stacks;
	int64_t sample_bytes;		/* 0: every call; else the mean distance of samples */
	int64_t gaps[AGENT_GAPS];	/* exponentially distributed, mean sample_bytes */
	uint8_t sampled_near[AGENT_SAMPLED_LINES];	/* how many, at least, are in that line */
	taddr_t sampled[AGENT_SAMPLED];	/* live blocks that were sampled: a set */
	uint64_t caches[AGENT_CACHES][AGENT_CACHE_ENTRIES];
	struct agent_thread threads[AGENT_THREADS];
};

/* The values of enum allocator_call, which the agent cannot include. */
struct agent_function {
	uint16_t index;			/* into the probe's table; below AGENT_FUNCTIONS */
	uint8_t is_pool;		/* its blocks' addresses have ADDRESS_POOL */
	uint8_t unused;
	uint8_t call;
	uint8_t size_argument, pointer_argument;	/* below AGENT_ARGUMENTS, or AGENT_NO_SIZE */
	uint8_t may_nest;		/* of a free: tell when it ends */
	taddr_t own_start;		/* code of its module, but for the program's; else 0 bytes */
	uint64_t own_bytes;
};

/* No argument says how large a block is: each counts as one byte. */
#define AGENT_NO_SIZE 0xff

static inline taddr_t agent_pool_bit(const struct agent_function *function)
{
	return function->is_pool ? ADDRESS_POOL : 0;
}

/* As a stub pushes them; the return address of the call lies behind them. */
struct agent_registers {
	uint64_t rdi, rsi, rdx, rcx, rax, r8, r9, r10, r11;
	taddr_t return_address;
};

/* From the real function's CFA to its caller's sp at the call: what a stub has pushed. */
#define AGENT_WRAP_BYTES 72

/*
 * The end of a stub, filled in by the tracer; the code before it is a copy of a template.
 * The displaced code follows.
 */
struct agent_literals {
	taddr_t before, after;		/* the hooks */
	taddr_t real;			/* the displaced code, which goes on in the function */
	struct agent_function function;
	taddr_t table;			/* agent_state.threads or .sampled_near, as `lean` wants */
	uint64_t lean;			/* layout.h: what the stub itself does, under sampling */
};

/*
 * What has been done to the target, for whoever finds the agent without its tracer: behind the
 * text, in pages that a fork child has a copy of.  An entry is written before what it tells of
 * is done.
 */
#define AGENT_INVENTORY_OFFSET 0x8000
#define AGENT_INVENTORY_ZONES 64
#define AGENT_INVENTORY_DETOURS 448

struct agent_inventory {
	uint32_t magic;			/* AGENT_INVENTORY_MAGIC: everything else is valid */
	uint32_t nr_zones, nr_detours;
	uint32_t unused;
	taddr_t zones[AGENT_INVENTORY_ZONES];
	struct agent_inventory_detour {
		taddr_t address, stub, copy, end;
		uint8_t bytes;			/* moved to the copy */
		uint8_t original[23];
	} detours[AGENT_INVENTORY_DETOURS];
};

/* Changes with any of the layouts here. */
#define AGENT_INVENTORY_MAGIC (0x564e4931u ^ (uint32_t)sizeof(struct agent_state) ^ \
			       (uint32_t)sizeof(struct agent_shared) << 1)

_Static_assert(AGENT_INVENTORY_OFFSET + sizeof(struct agent_inventory) <= AGENT_TEXT_BYTES,
	       "the inventory must fit behind the text");

/* First bytes of the blob; offsets from there. */
struct agent_header {
	uint32_t magic;
	uint32_t bytes;			/* of the blob */
	uint32_t before, after, loader;	/* the hooks */
	/* Templates of stubs, each ending in struct agent_literals. */
	uint32_t call, call_end;	/* before, real, after */
	uint32_t call_return;		/* where the real function returns to */
	uint32_t jump, jump_end;	/* before, then on to the real function for good */
};

#define AGENT_MAGIC 0x54474131u /* "1AGT" */

#endif
