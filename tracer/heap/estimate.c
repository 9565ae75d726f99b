/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See estimate.h.  Rounding errs by half a byte, or 1/131072 block, a sample. */
#include "estimate.h"

#include <math.h>

struct estimate estimate_of(uint64_t size, uint64_t mean_bytes)
{
	double bytes = (double)size, x = (size ? bytes : 1) / (double)mean_bytes;
	double weight = 1 / -expm1(-x);			/* 1/p: exact for small p, too */
	double square = weight * weight * exp(-x);	/* (1 - p) / p^2 */

	return (struct estimate){
		.blocks = (uint64_t)(weight * ESTIMATE_UNIT + 0.5),
		.bytes = (uint64_t)(bytes * weight + 0.5),
		.blocks_square = (estimate_square)(square * ESTIMATE_UNIT + 0.5),
		.bytes_square = (estimate_square)(bytes * bytes * square + 0.5),
	};
}

void estimate_add(struct estimate *sum, const struct estimate *more)
{
	sum->blocks += more->blocks;
	sum->bytes += more->bytes;
	sum->blocks_square += more->blocks_square;
	sum->bytes_square += more->bytes_square;
}

void estimate_take(struct estimate *sum, const struct estimate *less)
{
	sum->blocks -= less->blocks;
	sum->bytes -= less->bytes;
	sum->blocks_square -= less->blocks_square;
	sum->bytes_square -= less->bytes_square;
}

uint64_t estimate_blocks_error(const struct estimate *sum)
{
	return (uint64_t)(sqrt((double)sum->blocks_square / ESTIMATE_UNIT) + 0.5);
}

uint64_t estimate_bytes_error(const struct estimate *sum)
{
	return (uint64_t)(sqrt((double)sum->bytes_square) + 0.5);
}
