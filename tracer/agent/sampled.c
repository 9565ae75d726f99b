/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An address may be in any place of one cache line, so that taking it out leaves no trace. */
#include "sampled.h"

#include "layout.h"

#define WAYS AGENT_SAMPLED_WAYS
#define SIZE_LIMIT (1ll << 48)

/* xorshift64: Marsaglia, Xorshift RNGs, Journal of Statistical Software 8 (14), 2003. */
static uint64_t next_random(struct agent_thread *thread)
{
	uint64_t x = thread->random;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	thread->random = x;
	return x;
}

bool agent_sample(struct agent_thread *thread, uint64_t size)
{
	thread->sample_left -= size < SIZE_LIMIT ? (int64_t)(size | !size) : SIZE_LIMIT;
	if (AGENT_LIKELY(thread->sample_left > 0))
		return false;
	thread->sample_left = agent_state.gaps[next_random(thread) >> 32 & (AGENT_GAPS - 1)];
	return true;
}

static uint32_t line_of(taddr_t address)
{
	return (uint32_t)(address * AGENT_GOLDEN >> AGENT_LINES_SHIFT) & AGENT_LINES_MASK;
}

static bool is_in(const taddr_t *line, taddr_t address)
{
	for (unsigned i = 0; i < WAYS; i++)
		if (__atomic_load_n(&line[i], __ATOMIC_RELAXED) == address)
			return true;
	return false;
}

static bool put_in(taddr_t *line, taddr_t address)
{
	for (unsigned i = 0; i < WAYS; i++)
		if (agent_swap(&line[i], 0, address))
			return true;
	return false;
}

static bool take_out(taddr_t *line, taddr_t address)
{
	for (unsigned i = 0; i < WAYS; i++)
		if (__atomic_load_n(&line[i], __ATOMIC_RELAXED) == address)
			return agent_swap(&line[i], address, 0);
	return false;
}

/* Counted before it is there, and until after it is gone: none is overlooked. */
bool agent_sampled_add(taddr_t address)
{
	uint32_t line = line_of(address);

	if (is_in(&agent_state.sampled[line * WAYS], address))
		return true;
	__atomic_fetch_add(&agent_state.sampled_near[line], 1, __ATOMIC_ACQ_REL);
	if (put_in(&agent_state.sampled[line * WAYS], address))
		return true;
	__atomic_fetch_sub(&agent_state.sampled_near[line], 1, __ATOMIC_ACQ_REL);
	return false;
}

bool agent_sampled_take(taddr_t address)
{
	uint32_t line = line_of(address);

	if (AGENT_LIKELY(!agent_load(&agent_state.sampled_near[line])))
		return false;
	if (!take_out(&agent_state.sampled[line * WAYS], address))
		return false;
	__atomic_fetch_sub(&agent_state.sampled_near[line], 1, __ATOMIC_ACQ_REL);
	return true;
}
