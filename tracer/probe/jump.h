/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The jump engine: functions patched by jumps to an agent in the target, which records calls in
 * shared memory; no call stops.
 *
 *     jump_create      the target may run, or does not yet
 *     jump_learn       rules of modules newly seen; likewise
 *     jump_plan        can this function be jumped from?  likewise
 *     jump_arm         maps the agent, if it is not there yet, and patches what was planned;
 *                      all threads held
 *     jump_publish     what is mapped where has changed; the target may run
 *     jump_disarm      the functions are as they were; all threads held
 *     jump_leave       unmaps the agent; likewise, and nobody may be in it
 *
 * Events come from threads of our own (consumer.h): who else uses what they feed takes
 * jump_lock() first.  Everything else: one thread, the tracer.
 */
#ifndef MEMTRACE_PROBE_JUMP_H
#define MEMTRACE_PROBE_JUMP_H

#include "../target/modules.h"
#include "../event/sink.h"
#include "consumer.h"
#include "detour.h"
#include "implant.h"

struct jump_options {
	uint32_t depth;
	bool callers;			/* of all calls, with the kernel's numbers of threads */
	bool free_stacks;
	int64_t sample_bytes;
	uint64_t epoch_ns;
	struct walker *walker;		/* of the target's stacks; for this thread */
	/* One thread for each taker, which then holds its lock. */
	struct event_sink sink;
	/* The loader has asked for a look at the modules; in the first of those threads. */
	void (*notify)(void *owner);
	void *owner;
};

/* A part of the rings, and the thread that takes their records. */
struct jump_lane {
	struct rings rings;
	struct consumer *consumer;
};

struct jump {
	struct jump_options options;
	struct targets *targets;
	struct process *process;
	struct implant implant;
	struct zones zones;
	struct {
		struct detour *items;
		size_t nr, room;
	} detours;
	size_t nr_armed;		/* of detours: those behind are planned only */
	struct {
		taddr_t *items;		/* slots of closed libraries' functions */
		size_t nr, room;
	} retired;
	struct jump_lane *lanes;
	unsigned nr_lanes;		/* 0: no rings yet */
	uint64_t *keys;			/* as last seen: fs bases by the agent's numbers */
	pid_t *tids;			/* likewise, where callers are asked for; 0: look again */
	struct parachute_code code;	/* in the target */
	struct agent_inventory *inventory;
	int64_t *gaps;			/* of samples; NULL: none are drawn */
	uint64_t began_ns, began_cycles;
	uint64_t cycles_per_ms;		/* once it is injected */
};

/* One that a tracer which was killed has left behind: -ENOENT: there is none.  It can do nothing
 * but jump_restore(), jump_disarm(), jump_leave() and jump_destroy(). */
bool jump_has_orphan(const struct process *process);	/* the target may run */
int jump_adopt(struct targets *targets, struct process *process, struct jump **out);
/* Writes the original bytes back. */
int jump_restore(struct jump *jump);

int jump_create(struct targets *targets, struct process *process,
		const struct jump_options *options, struct jump **out);
void jump_destroy(struct jump *jump);

void jump_learn(struct jump *jump, const struct modules *modules);

/* DETOUR_SAFE: jump_arm() will see to it. */
enum detour_refusal jump_plan(struct jump *jump, const struct functions *functions, uint32_t function,
		      const struct memread *code);

/* -EACCES, -EAGAIN and the like: all plans are void, and no function is patched; what has been
 * mapped already stays for the next time, or jump_leave(). */
int jump_arm(struct jump *jump, const struct functions *functions, const struct unwind_map *map);
bool jump_is_armed(const struct jump *jump, uint32_t function);
/* What was planned is not to be armed. */
void jump_drop_plans(struct jump *jump);
/* The time of the events begins now; before the first jump_arm(). */
void jump_set_epoch(struct jump *jump, uint64_t epoch_ns);

void jump_publish(struct jump *jump, const struct unwind_map *map);

/* A thread has begun or is about to end; it is stopped. */
void jump_thread_begins(struct jump *jump, const struct thread *thread);
void jump_thread_ends(struct jump *jump, const struct thread *thread);

/* The module is gone, and with it what was patched there. */
void jump_forget_module(struct jump *jump, uint32_t module);

/* Moves threads out after the original bytes are back (memory_undo). */
int jump_disarm(struct jump *jump);
/* -EBUSY: somebody is still inside; try again a little later.  Nobody can enter any more. */
int jump_leave(struct jump *jump);

/* A fork child, which has a copy of everything, switched off: unmaps it there. */
int jump_leave_child(const struct jump *jump, struct process *child);

/* The loader waits in the target for jump_loader_done(). */
bool jump_loader_waits(const struct jump *jump);
void jump_loader_done(struct jump *jump, uint32_t requests);
uint32_t jump_loader_requests(const struct jump *jump);

/* Whether events come from the target: then those of another engine must be inserted. */
bool jump_records(const struct jump *jump);
int jump_insert(struct jump *jump, const struct event *event);
/* While a call of this thread that another engine watches is under way, those that it makes do
 * not count.  The thread is stopped. */
int jump_mute(struct jump *jump, uint64_t fs_base, bool mute);

/* Code of ours in the target, as ranges for a map. */
int jump_add_ranges(const struct jump *jump, struct unwind_map *map);
bool jump_contains(const struct jump *jump, taddr_t pc);

/* Takes the rings' consumers away for a moment; what was recorded before has been told then. */
void jump_lock(struct jump *jump);
void jump_unlock(struct jump *jump);

/* No thread will record any more: takes the last records, and ends the consumers. */
void jump_finish(struct jump *jump);

/* How long threads have waited in the agent, all together: in ns, about. */
uint64_t jump_waited_ns(const struct jump *jump);

/* Events that are lost. */
uint64_t jump_dropped(const struct jump *jump);

#endif
