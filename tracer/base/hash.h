/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mixing of integers for hash tables.  The multiplier is 2^64 divided by the golden ratio
 * (Knuth, The Art of Computer Programming, volume 3, 6.4).
 */
#ifndef MEMTRACE_BASE_HASH_H
#define MEMTRACE_BASE_HASH_H

#include <stdint.h>

static inline uint64_t hash_u64(uint64_t x)
{
	x ^= x >> 32;
	x *= 0x9e3779b97f4a7c15ULL;
	return x ^ x >> 29;
}

static inline uint64_t hash_combine(uint64_t hash, uint64_t x)
{
	return hash_u64(hash * 31 + x);
}

#endif
