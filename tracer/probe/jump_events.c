/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The jump engine's side of rings and consumer: start, lock, insertions, end. */
#include "jump_parts.h"

#include <errno.h>

/* Called by rings, with the lock held. */
static uint64_t thread_key(void *owner, uint32_t thread)
{
	const struct jump *jump = owner;

	return implant_thread_key(&jump->implant, &jump->process->memory, thread);
}

int jump_insert(struct jump *jump, const struct event *event)
{
	int error;

	consumer_lock(jump->consumer);
	error = rings_insert(&jump->rings, event);
	consumer_unlock(jump->consumer);
	return error;
}

int jump_mute(struct jump *jump, uint64_t fs_base, bool mute)
{
	int error;

	consumer_lock(jump->consumer);
	error = rings_mute(&jump->rings, fs_base, mute);
	consumer_unlock(jump->consumer);
	return error;
}

bool jump_records(const struct jump *jump)
{
	return jump->has_rings;
}

int jump_start_rings(struct jump *jump)
{
	const struct rings_options options = {
		.depth = jump->options.depth,
		.epoch_ns = jump->options.epoch_ns,
		.event = jump->options.event,
		.prefetch = jump->options.prefetch,
		.consumer = jump->options.owner,
		.key = thread_key, .key_owner = jump,
	};
	int error = jump->has_rings ? 0 : rings_init(&jump->rings, jump->implant.shared, &options);

	if (error)
		return error;
	jump->has_rings = true;
	rings_beat(&jump->rings);
	return jump->consumer ? 0 : consumer_start(&jump->rings, jump->options.notify, jump->options.owner,
			      &jump->consumer);
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
	consumer_lock(jump->consumer);
	if (jump->has_rings)
		(void)rings_catch_up(&jump->rings);
}

void jump_unlock(struct jump *jump)
{
	consumer_unlock(jump->consumer);
}

void jump_finish(struct jump *jump)
{
	consumer_stop(jump->consumer);
	jump->consumer = NULL;
	if (jump->has_rings)
		rings_finish(&jump->rings);
}

uint64_t jump_dropped(const struct jump *jump)
{
	return jump->implant.shared->dropped + jump->rings.stats.lost + jump->rings.stats.refused;
}
