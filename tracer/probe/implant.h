/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent in one target, and the memory it shares with the tracer (agent/agent.h):
 *
 *     implant_create       the shared memory, in the tracer alone
 *     implant_add_rules    unwind rules of a file; the target may run
 *     implant_inject       mapped into the target, all threads held; the agent is not enabled
 *     implant_publish      which code is where
 *     implant_enable       calls are recorded from now on
 *     implant_remove       unmapped; nobody may be in it
 *
 * One thread.  Functions return 0 or -errno.
 */
#ifndef MEMTRACE_PROBE_IMPLANT_H
#define MEMTRACE_PROBE_IMPLANT_H

#include "../agent/agent.h"
#include "../target/inject.h"
#include "trampolines.h"
#include "zones.h"

/* The name that the shared memory shows in /proc/PID/maps. */
#define IMPLANT_NAME "memtrace"

struct implant_rules {
	const struct rules *rules;	/* the tracer's */
	size_t offset;			/* of the copy, in the shared memory */
};

/* Rules that we made ourselves; kept, and used again by whoever needs the same. */
struct implant_own_rules {
	const struct rules *rules;	/* in the shared memory */
	size_t bytes;
};

struct implant {
	int fd;				/* -1: none */
	uint8_t *view;			/* all of the shared memory */
	struct agent_shared *shared;	/* its beginning */
	size_t used;			/* up to where rules are */
	size_t maps_used;		/* of the part for maps */
	struct {
		struct implant_rules *items;
		size_t nr, room;
	} rules;
	struct {
		struct implant_own_rules *items;
		size_t nr, room;
	} own;
	/* Of the agent's text, and of a trampoline with the byte before it; NULL: adopted. */
	const struct rules *agent_rules, *signal_rules;
	struct trampolines trampolines;
	uint32_t generation;		/* of the last map */

	bool leans;			/* stubs may decide what is sampled; once it is injected */

	/* In the target; base == 0: it is not there. */
	taddr_t base, shared_at, rules_at;
	bool whole;			/* false, but base set: not all of it is mapped */
};

struct implant_settings {
	uint32_t depth;
	bool callers;			/* stacks of all records */
	bool free_stacks;
	uint64_t wait_cycles;
	taddr_t main_low, main_high;
	int64_t sample_bytes;		/* 0: all calls are recorded */
	const int64_t *gaps;		/* AGENT_GAPS of them (gaps.h), where there is sampling */
};

int implant_create(struct implant *implant);
/* What the agent may come to use of the shared memory, and what of the target's own. */
size_t implant_shared_bytes(void);
size_t implant_private_bytes(unsigned nr_threads);
/* All of the former at once, so that it is the tracer whom the kernel charges for it. */
int implant_reserve(const struct implant *implant);
/* One that a tracer has left in the target; only its place there is known then. */
bool implant_find(struct implant *implant, const struct maps *maps);
/* Forgets it; what is in a target stays there. */
void implant_deinit(struct implant *implant);

/* Once for each file; again does nothing.  -ENOSPC: too many, its stacks will be short. */
int implant_add_rules(struct implant *implant, const struct rules *rules, size_t bytes);

/* Address space that it takes in the target, all at one place. */
size_t implant_bytes(void);
int implant_inject(struct implant *implant, struct inject *inject, taddr_t place,
		   const struct implant_settings *settings);

/* Ranges of the map, those of trampolines, the zones and the agent added.  The zones get rules
 * where their slots have changed. */
int implant_publish(struct implant *implant, const struct unwind_map *map, struct zones *zones);

/* The agent's text and the zones, for the tracer's own map. */
int implant_add_ranges(const struct implant *implant, const struct zones *zones,
		       struct unwind_map *map);

int implant_enable(const struct implant *implant, struct memory *memory, bool enabled);

/* Tells of the stack of a thread, and forgets it with what the agent has noted of it. */
void implant_tell_stack(struct implant *implant, uint64_t fs_base, taddr_t low, taddr_t high,
			pid_t tid);
void implant_forget_stack(struct implant *implant, struct memory *memory, uint64_t fs_base);

/* The fs base of the thread that the agent has given this number; 0: of none. */
uint64_t implant_thread_key(const struct implant *implant, const struct memory *memory,
			    uint32_t thread);

/* The kernel's number of the thread with this fs base, as told; 0: it is not known. */
pid_t implant_stack_tid(const struct implant *implant, uint64_t fs_base);

/* The calls that the agent has noted as under way in the thread of this fs base: how many are
 * in out; -1: it does not know the thread. */
int implant_calls(const struct implant *implant, const struct memory *memory, uint64_t fs_base,
		  struct agent_call out[AGENT_CALLS]);

/* -ENOEXEC: there is none, or another version's. */
int implant_read_inventory(const struct implant *implant, const struct memory *memory,
			   struct agent_inventory *out);
int implant_write_inventory(const struct implant *implant, struct memory *memory,
			    const struct agent_inventory *inventory);

/* Memory that rings, stacks and rules take up by now; the target's resident set has most of it. */
uint64_t implant_memory_bytes(const struct implant *implant);

/* Whether pc is in the agent's own code. */
bool implant_contains(const struct implant *implant, taddr_t pc);

int implant_remove(struct implant *implant, struct inject *inject);

#endif
