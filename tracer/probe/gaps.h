/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The distances between samples that an agent chooses from at random (agent/sampled.h): it has
 * neither a logarithm nor the time for one.
 *
 * Exponentially distributed and rounded up: whole numbers, at least 1, that fall within s bytes
 * with the probability 1 - exp(-s / mean) exactly, whatever was passed before.  One is drawn out
 * of each of AGENT_GAPS equally likely parts of the distribution.  Were they drawn without such
 * parts, their average would be off by 1/sqrt(AGENT_GAPS) = 1.6 %, and all estimates of a run
 * with it; so it is off by 0.02 %.
 */
#ifndef MEMTRACE_PROBE_GAPS_H
#define MEMTRACE_PROBE_GAPS_H

#include "../agent/agent.h"

void gaps_fill(int64_t gaps[AGENT_GAPS], int64_t mean_bytes, uint64_t seed);

/* From the kernel: that of another run, or of the program itself, tells nothing of it. */
uint64_t gaps_seed(void);

#endif
