/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See gaps.h. */
#include "gaps.h"

#include <math.h>
#include <sys/random.h>

#include "../base/clock.h"

/* splitmix64: Steele, Lea and Flood, Fast Splittable Pseudorandom Number Generators, 2014. */
static uint64_t next_random(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

/* More than 0, at most 1. */
static double uniform(uint64_t *state)
{
	return (double)((next_random(state) >> 11) + 1) / (double)(UINT64_C(1) << 53);
}

void gaps_fill(int64_t gaps[AGENT_GAPS], int64_t mean_bytes, uint64_t seed)
{
	for (unsigned i = 0; i < AGENT_GAPS; i++) {
		double beyond = (i + uniform(&seed)) / AGENT_GAPS;
		double gap = ceil((double)mean_bytes * -log(beyond));

		gaps[i] = gap < 1 ? 1 : (int64_t)gap;
	}
}

uint64_t gaps_seed(void)
{
	uint64_t seed;

	return getrandom(&seed, sizeof(seed), GRND_NONBLOCK) == sizeof(seed) ? seed : clock_ns();
}
