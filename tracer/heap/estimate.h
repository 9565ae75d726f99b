/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a set of samples says of all the blocks that it was drawn from (Horvitz and Thompson,
 * 1952).  A block of s bytes was drawn with the probability p = 1 - exp(-s / mean), 0 bytes
 * counting as 1, independently of all others: it stands for 1/p blocks of s/p bytes.  Their sums
 * have the right expectation, whatever the sizes; (1 - p) / p^2 and s^2 (1 - p) / p^2, summed in
 * the same way, that of the square of the standard error.
 *
 * All sums are of integers: a block that is taken out takes back exactly what it had added.
 */
#ifndef MEMTRACE_HEAP_ESTIMATE_H
#define MEMTRACE_HEAP_ESTIMATE_H

#include "../base/types.h"

__extension__ typedef unsigned __int128 estimate_square;

#define ESTIMATE_UNIT 65536u	/* a block: 1/p is seldom a whole number */

struct estimate {
	uint64_t blocks;		/* in 1 / ESTIMATE_UNIT */
	uint64_t bytes;
	estimate_square blocks_square;	/* errors, squared; of blocks in 1 / ESTIMATE_UNIT */
	estimate_square bytes_square;
};

/* What one sample of that size stands for. */
struct estimate estimate_of(uint64_t size, uint64_t mean_bytes);

void estimate_add(struct estimate *sum, const struct estimate *more);
void estimate_take(struct estimate *sum, const struct estimate *less);

/* Whole blocks, rounded; as `blocks` of a struct estimate is. */
static inline uint64_t estimate_whole(uint64_t blocks)
{
	return (blocks + ESTIMATE_UNIT / 2) / ESTIMATE_UNIT;
}

/* One standard error, in blocks or in bytes, rounded. */
uint64_t estimate_blocks_error(const struct estimate *sum);
uint64_t estimate_bytes_error(const struct estimate *sum);

#endif
