/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sampling: which allocations are recorded, and the set of blocks that were.
 *
 * The bytes that a thread asks for are a line on which samples are points, their distances
 * exponentially distributed.  A call is sampled if a point falls into its bytes, that is with
 * probability 1 - exp(-size / mean), which is what the tracer weighs it by; a size of 0 counts
 * as 1.  What comes after the first point in it does not matter: distances have no memory.
 *
 * The set never lies to free(): an address is in it, or in none of its eight places.
 */
#ifndef MEMTRACE_AGENT_SAMPLED_H
#define MEMTRACE_AGENT_SAMPLED_H

#include "state.h"

/* Whether an allocation of so many bytes is one; moves the thread along its line. */
bool agent_sample(struct agent_thread *thread, uint64_t size);

/* False: there is no room, the block must not be recorded. */
bool agent_sampled_add(taddr_t address);

/* Takes the address out; false if it was not in it. */
bool agent_sampled_take(taddr_t address);

#endif
