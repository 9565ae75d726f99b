/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The jump engine's side of rings and consumers: start, lock, insertions, end. */
#include "jump_parts.h"

#include <errno.h>
#include <stdlib.h>

/* Called by rings, with their lane's lock held. */
static uint64_t thread_key(void *owner, uint32_t thread)
{
	struct jump *jump = owner;
	uint64_t key = implant_thread_key(&jump->implant, &jump->process->memory, thread);

	if (thread >= AGENT_THREADS)
		return key;
	/* The last records are taken when the target or the agent may be gone. */
	if (key)
		__atomic_store_n(&jump->keys[thread], key, __ATOMIC_RELAXED);
	return __atomic_load_n(&jump->keys[thread], __ATOMIC_RELAXED);
}

/* Only the first thread of a program has its fs base from no clone(2): nobody was told of it. */
static pid_t find_tid(struct jump *jump, uint32_t thread)
{
	uint64_t key = thread_key(jump, thread);
	pid_t tid = key ? implant_stack_tid(&jump->implant, key) : 0;

	return key && !tid ? jump->process->pid : tid;
}

/* Called by rings, with their lane's lock held. */
static pid_t thread_tid(void *owner, uint32_t thread)
{
	struct jump *jump = owner;
	pid_t tid;

	if (thread >= AGENT_THREADS)
		return 0;
	tid = __atomic_load_n(&jump->tids[thread], __ATOMIC_RELAXED);
	if (!tid) {
		tid = find_tid(jump, thread);
		__atomic_store_n(&jump->tids[thread], tid, __ATOMIC_RELAXED);
	}
	return tid;
}

void jump_forget_tid(struct jump *jump, uint64_t fs_base)
{
	if (!jump->tids || !fs_base)
		return;
	/* What it has recorded is its own; the next one may have the same fs base. */
	jump_lock(jump);
	for (unsigned i = 0; i < AGENT_THREAD_PROBES; i++)
		__atomic_store_n(&jump->tids[agent_thread_place(fs_base, i)], 0, __ATOMIC_RELAXED);
	jump_unlock(jump);
}

static int insert(struct jump *jump, const struct event *event)
{
	struct jump_lane *lane = jump->lanes;
	int error;

	while (!rings_takes(&lane->rings, event))
		lane++;
	consumer_lock(lane->consumer);
	error = rings_insert(&lane->rings, event);
	consumer_unlock(lane->consumer);
	return error;
}

/* Like the agent's: each address has its own order, and no order holds between two. */
static int insert_resized(struct jump *jump, const struct event *event)
{
	struct event gone = {
		.kind = EVENT_RESIZE_END, .function = event->function, .tid = event->tid,
		.old_address = event->old_address, .time_ns = event->time_ns,
	}, added = *event;
	int error = event->old_address ? insert(jump, &gone) : 0;

	added.kind = EVENT_ALLOC;
	added.old_address = 0;
	return error ? error : insert(jump, &added);
}

int jump_insert(struct jump *jump, const struct event *event)
{
	if (event->kind == EVENT_RESIZE_END && event->address)
		return insert_resized(jump, event);
	return insert(jump, event);
}

int jump_mute(struct jump *jump, uint64_t fs_base, bool mute)
{
	int error = 0;

	for (unsigned i = 0; i < jump->nr_lanes && !error; i++) {
		struct jump_lane *lane = &jump->lanes[i];

		consumer_lock(lane->consumer);
		error = rings_mute(&lane->rings, fs_base, mute);
		consumer_unlock(lane->consumer);
	}
	return error;
}

bool jump_records(const struct jump *jump)
{
	return jump->nr_lanes;
}

static int init_lane(struct jump *jump, unsigned number)
{
	const struct event_sink *sink = &jump->options.sink;
	const struct rings_options options = {
		.depth = jump->options.depth,
		.epoch_ns = jump->options.epoch_ns,
		.event = sink->event, .prefetch = sink->prefetch,
		.consumer = sink->takers[number],
		.lane = number, .nr_lanes = sink->nr_takers,
		.callers = jump->options.callers,
		.free_stacks = jump->options.free_stacks,
		.key = thread_key, .tid = jump->tids ? thread_tid : NULL, .key_owner = jump,
	};

	return rings_init(&jump->lanes[number].rings, jump->implant.shared, &options);
}

static int init_lanes(struct jump *jump)
{
	if (!jump->lanes)
		jump->lanes = calloc(jump->options.sink.nr_takers, sizeof(*jump->lanes));
	if (!jump->keys)
		jump->keys = calloc(AGENT_THREADS, sizeof(*jump->keys));
	if (!jump->tids && jump->options.callers)
		jump->tids = calloc(AGENT_THREADS, sizeof(*jump->tids));
	if (!jump->lanes || !jump->keys || (jump->options.callers && !jump->tids))
		return -ENOMEM;
	for (unsigned i = 0; i < jump->options.sink.nr_takers; i++) {
		int error = init_lane(jump, i);

		if (!error)
			continue;
		while (i--)
			rings_deinit(&jump->lanes[i].rings);
		return error;
	}
	jump->nr_lanes = jump->options.sink.nr_takers;
	return 0;
}

int jump_start_rings(struct jump *jump)
{
	int error = jump->nr_lanes ? 0 : init_lanes(jump);

	if (error)
		return error;
	rings_beat(&jump->lanes[0].rings);
	for (unsigned i = 0; i < jump->nr_lanes && !error; i++) {
		struct jump_lane *lane = &jump->lanes[i];

		if (!lane->consumer)
			error = consumer_start(&lane->rings, i ? NULL : jump->options.notify,
					       jump->options.owner, &lane->consumer);
	}
	return error;
}

uint32_t jump_loader_requests(const struct jump *jump)
{
	return __atomic_load_n(&jump->implant.shared->loader_requests, __ATOMIC_ACQUIRE);
}

bool jump_loader_waits(const struct jump *jump)
{
	return jump_loader_requests(jump) != jump->implant.shared->loader_done;
}

void jump_loader_done(struct jump *jump, uint32_t requests)
{
	__atomic_store_n(&jump->implant.shared->loader_done, requests, __ATOMIC_RELEASE);
}

void jump_lock(struct jump *jump)
{
	for (unsigned i = 0; i < jump->nr_lanes; i++)
		consumer_lock(jump->lanes[i].consumer);
	for (unsigned i = 0; i < jump->nr_lanes; i++)
		(void)rings_catch_up(&jump->lanes[i].rings);
}

void jump_unlock(struct jump *jump)
{
	for (unsigned i = 0; i < jump->nr_lanes; i++)
		consumer_unlock(jump->lanes[i].consumer);
}

void jump_finish(struct jump *jump)
{
	for (unsigned i = 0; i < jump->nr_lanes; i++) {
		consumer_stop(jump->lanes[i].consumer);
		jump->lanes[i].consumer = NULL;
		rings_finish(&jump->lanes[i].rings);
	}
}

uint64_t jump_waited_ns(const struct jump *jump)
{
	uint64_t cycles = __atomic_load_n(&jump->implant.shared->waited_cycles, __ATOMIC_RELAXED);

	return jump->cycles_per_ms ? (uint64_t)((double)cycles * 1e6 / (double)jump->cycles_per_ms)
				   : 0;
}

uint64_t jump_dropped(const struct jump *jump)
{
	uint64_t dropped = jump->implant.shared->dropped;

	for (unsigned i = 0; i < jump->nr_lanes; i++)
		dropped += jump->lanes[i].rings.stats.lost + jump->lanes[i].rings.stats.refused;
	return dropped;
}
