/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The brake, --overhead: when the share of the time that a process was stopped (overhead.h) has
 * been beyond the limit for 5 s, nothing is watched for a pause, as long as it takes to bring the
 * share of those 5 s and the pause together down to the limit.  Then the 5 s begin anew.  They are
 * less where the pause would else have to be longer than the longest.
 *
 * Decides; what is to be done is done by others.  No clock: the last reading's time is now.
 */
#ifndef MEMTRACE_BRAKE_H
#define MEMTRACE_BRAKE_H

#include "overhead.h"

#define BRAKE_WINDOW_NS 5000000000
#define BRAKE_LEAST_NS 100000000
#define BRAKE_MOST_NS 60000000000

struct brake {
	bool pausing;
	uint64_t began_ns;		/* the pause: as overhead_reading.at_ns */
	struct overhead_sums from;	/* the sums when the time before it began */
};

bool brake_wants_pause(const struct overhead *overhead, uint32_t limit_ppm);
void brake_begin_pause(struct brake *brake, const struct overhead *overhead);
bool brake_is_pause_over(const struct brake *brake, const struct overhead *overhead,
			 uint32_t limit_ppm);
/* How long the pause was. */
uint64_t brake_end_pause(struct brake *brake, const struct overhead *overhead);

#endif
