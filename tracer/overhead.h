/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a trace costs the process: the share of the time that its threads were stopped because of
 * us, of the time that they had something to do,
 *
 *	share = stopped / (stopped + ran)
 *
 * where `ran` is the processor time that was for itself.  Time in which it slept or waited for
 * something else is in neither, so the share of a service that has little to do is that by which
 * the little becomes slower, whether it has one thread or 200.  Of threads that are stopped at the
 * same time no more count than there are processors on which they could have run.
 *
 * Sums over the threads, in ns.  No thread of its own, no clock: times are handed in.
 */
#ifndef MEMTRACE_OVERHEAD_H
#define MEMTRACE_OVERHEAD_H

#include "base/types.h"
#include "target/standstill.h"

#define OVERHEAD_WHOLE_PPM 1000000u

struct overhead_sums {
	uint64_t stopped_ns, ran_ns;
};

/* What is known at one instant: sums since some beginning. */
struct overhead_reading {
	uint64_t at_ns;
	uint64_t held_ns, nr_stops;		/* standstill.h */
	struct standstill_switch usual;		/* of the stops since the last reading */
	uint64_t waited_ns;			/* in the agent, on a processor */
	uint64_t cpu_ns;
};

#define OVERHEAD_INSTANTS 64
#define OVERHEAD_DISTANCE_NS 100000000

struct overhead {
	unsigned nr_processors;
	struct overhead_sums sums;
	struct overhead_reading last;
	/* The sums some 100 ms apart, the oldest of them overwritten. */
	struct {
		uint64_t at_ns;
		struct overhead_sums sums;
	} instants[OVERHEAD_INSTANTS];
	unsigned nr_instants;			/* so far */
};

/* The sums begin here; the reading is the first one. */
void overhead_begin(struct overhead *overhead, unsigned nr_processors,
		    const struct overhead_reading *reading);
void overhead_note(struct overhead *overhead, const struct overhead_reading *reading);
/* What was before the last reading is to be in no answer of overhead_recent(). */
void overhead_forget(struct overhead *overhead);

/* Of the last so many ns, 5 s at most.  False: it has not been as long, *out is of all there is. */
bool overhead_recent(const struct overhead *overhead, uint64_t ns, struct overhead_sums *out);

/* What has come since the sums were these. */
struct overhead_sums overhead_since(const struct overhead *overhead,
				    const struct overhead_sums *then);

uint32_t overhead_ppm(const struct overhead_sums *sums);
/* Beyond the limit, in so long a time; a stop now and then is never. */
bool overhead_is_beyond(const struct overhead_sums *sums, uint64_t ns, uint32_t limit_ppm);

#endif
