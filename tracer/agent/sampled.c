/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An address may be in any place of one cache line, so that taking it out leaves no trace. */
#include "sampled.h"

#define WAYS 8
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

static taddr_t *line_of(taddr_t address)
{
	uint64_t hash = address * 0x9e3779b97f4a7c15ull >> 32;

	return &agent_state.sampled[hash * WAYS & (AGENT_SAMPLED - 1)];
}

bool agent_sampled_add(taddr_t address)
{
	taddr_t *line = line_of(address);

	for (unsigned i = 0; i < WAYS; i++)
		if (__atomic_load_n(&line[i], __ATOMIC_RELAXED) == address)
			return true;
	for (unsigned i = 0; i < WAYS; i++)
		if (agent_swap(&line[i], 0, address))
			return true;
	return false;
}

bool agent_sampled_take(taddr_t address)
{
	taddr_t *line = line_of(address);

	for (unsigned i = 0; i < WAYS; i++)
		if (__atomic_load_n(&line[i], __ATOMIC_RELAXED) == address)
			return agent_swap(&line[i], address, 0);
	return false;
}
