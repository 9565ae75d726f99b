/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the records that agents commit in shared memory (agent/agent.h) to events.  Each ring is
 * taken in its order, so the events of one address come in theirs; of different rings nothing is
 * known but the coarse time of each record.
 *
 *       next            holes_before                    claimed
 *     ----|--------------------|---------------------------|-----> index
 *         | not committed here | not committed here is     |
 *         | is given up        | waited for, 1 s at most   |
 *
 * The target can write all of that memory, so nothing in it is believed: whatever it holds, each
 * call ends, and the memory that events lead to is bounded.
 *
 * One thread at a time (consumer.h has a lock); those of different lanes know nothing of each
 * other.  No thread of the target need be held, but for
 * rings_finish().  Times in ns.
 */
#ifndef MEMTRACE_PROBE_RINGS_H
#define MEMTRACE_PROBE_RINGS_H

#include "../agent/agent.h"
#include "../event/event.h"

#define RINGS_SHARE 256				/* of one ring in one rings_drain() */
#define RINGS_BATCH (RINGS_SHARE * AGENT_RINGS)	/* the most that rings_drain() takes */
#define RINGS_DEPTH_MAX 1024
#define RINGS_CALLERS 4				/* frames for a log of what is no allocation */
#define RINGS_MUTES 1024			/* 128 threads at once */

struct rings_options {
	uint32_t depth;		/* frames kept of a stack; RINGS_DEPTH_MAX at most */
	uint64_t epoch_ns;	/* clock_ns() of time 0 of the events */
	void (*event)(void *consumer, const struct event *event);
	/* An event of this address will come soon; may be NULL. */
	void (*prefetch)(void *consumer, taddr_t address);
	void *consumer;
	/* Of nr_lanes struct rings that share the memory, this one takes each nr_lanes-th ring from
	 * number `lane` on; 0 and 0: all of them. */
	unsigned lane, nr_lanes;
	/* The fs base of a thread, by its number in struct agent_record; 0: nobody knows. */
	uint64_t (*key)(void *owner, uint32_t thread);
	/* agent_state.callers: all of it is in ring 0. */
	bool callers;
	bool free_stacks;	/* the whole ones */
	/* The kernel's number of it; 0: nobody knows.  NULL: nobody asks. */
	pid_t (*tid)(void *owner, uint32_t thread);
	void *key_owner;
};

struct rings_stats {
	uint64_t taken;		/* records, all but those lost */
	uint64_t lost;		/* claimed and never committed */
	uint64_t refused;	/* of those taken: no agent writes such a record */
	uint64_t stackless;	/* of those taken: more pairs of function and stack than fit */
	bool broken;		/* indexes have jumped: the target writes where it must not */
};

struct rings {
	struct agent_shared *shared;
	struct rings_options options;
	struct rings_stats stats;
	struct {
		struct rings_own *items;	/* inserted and not taken yet, or free */
		size_t nr, room;
	} own;
	struct rings_mute {
		uint64_t key;
		unsigned ring;
	} mutes[RINGS_MUTES];
	unsigned nr_mutes;
	uint64_t now_ns;		/* when this call began: no event is later */
	struct rings_ring {
		uint64_t next;
		uint64_t holes_before;
		uint64_t stuck_at, stuck_claimed; /* next and claimed, when it was first seen */
		uint64_t stuck_since_ns;
	} rings[AGENT_RINGS];
	struct rings_cell *cells;
	code_t frames[RINGS_DEPTH_MAX];
};

/* `shared` is new and full of zeros; it stays the caller's, and mapped until rings_deinit().
 * 0 or -ENOMEM.  The cells of all events die with rings_deinit() or go stale with
 * heap_restart(): new rings for a new heap. */
int rings_init(struct rings *rings, struct agent_shared *shared,
	       const struct rings_options *options);
void rings_deinit(struct rings *rings);

/* Tells the agents that we are there, and the time.  Any thread, without the lock. */
void rings_beat(const struct rings *rings);

/* Takes what is committed, up to RINGS_SHARE of each ring, after a beat.  Returns by how much
 * the rings moved on; 0: nothing is there, or nothing that can be taken yet. */
size_t rings_drain(struct rings *rings);

/* Whether such events are in a ring of this lane. */
bool rings_takes(const struct rings *rings, const struct event *event);

/* An event that another engine has seen, and that rings_takes(), takes its turn among the records: after all that the
 * target has recorded until now, even where some of that cannot be taken yet.  It is copied.
 * -ENOMEM, or -ENOSPC: the ring is full of what cannot be taken. */
int rings_insert(struct rings *rings, const struct event *event);

/* Records of the thread with this fs base do not count, from now on or until now. */
int rings_mute(struct rings *rings, uint64_t key, bool mute);

/* Takes all that was claimed when it was called.  False: in some ring a record is claimed but
 * not committed yet, and what lies behind it was left. */
bool rings_catch_up(struct rings *rings);

/* The same once no thread is inside of the agent: dead, or held elsewhere.  What has not been
 * committed by now is lost. */
void rings_finish(struct rings *rings);

#endif
