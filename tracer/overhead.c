/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between two readings nothing is less than none: parts that were measured may be too large. */
#include "overhead.h"

/* A process that is stopped for less than 5 ms a second, all its threads together, is harmed by
 * none of that, however little else it does. */
#define HARMLESS 200u

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void add(struct overhead *overhead, const struct overhead_reading *reading)
{
	const struct overhead_reading *last = &overhead->last;
	uint64_t nr_stops = less(reading->nr_stops, last->nr_stops);
	uint64_t waited_ns = less(reading->waited_ns, last->waited_ns);
	uint64_t ours_ns = nr_stops * reading->usual.cpu_ns + waited_ns;
	uint64_t ran_ns = less(less(reading->cpu_ns, last->cpu_ns), ours_ns);
	uint64_t stopped_ns = less(reading->held_ns, last->held_ns) + waited_ns +
			      nr_stops * reading->usual.took_ns;
	uint64_t most_ns = (reading->at_ns - last->at_ns) * overhead->nr_processors;

	overhead->sums.ran_ns += ran_ns;
	overhead->sums.stopped_ns += least(stopped_ns, less(most_ns, ran_ns));
}

static void take_instant(struct overhead *overhead)
{
	unsigned place = overhead->nr_instants++ % OVERHEAD_INSTANTS;

	overhead->instants[place].at_ns = overhead->last.at_ns;
	overhead->instants[place].sums = overhead->sums;
}

void overhead_begin(struct overhead *overhead, unsigned nr_processors,
		    const struct overhead_reading *reading)
{
	*overhead = (struct overhead){ .nr_processors = nr_processors, .last = *reading };
	take_instant(overhead);
}

void overhead_note(struct overhead *overhead, const struct overhead_reading *reading)
{
	unsigned newest = (overhead->nr_instants - 1) % OVERHEAD_INSTANTS;

	add(overhead, reading);
	overhead->last = *reading;
	if (reading->at_ns - overhead->instants[newest].at_ns >= OVERHEAD_DISTANCE_NS)
		take_instant(overhead);
}

void overhead_forget(struct overhead *overhead)
{
	overhead->nr_instants = 0;
	take_instant(overhead);
}

struct overhead_sums overhead_since(const struct overhead *overhead,
				    const struct overhead_sums *then)
{
	return (struct overhead_sums){
		.stopped_ns = overhead->sums.stopped_ns - then->stopped_ns,
		.ran_ns = overhead->sums.ran_ns - then->ran_ns,
	};
}

bool overhead_recent(const struct overhead *overhead, uint64_t ns, struct overhead_sums *out)
{
	unsigned nr = overhead->nr_instants, back = 0, place;
	uint64_t newest_ns = overhead->instants[(nr - 1) % OVERHEAD_INSTANTS].at_ns;

	do {
		place = (nr - ++back) % OVERHEAD_INSTANTS;
		if (newest_ns - overhead->instants[place].at_ns >= ns)
			break;
	} while (back < nr && back < OVERHEAD_INSTANTS);
	*out = overhead_since(overhead, &overhead->instants[place].sums);
	return newest_ns - overhead->instants[place].at_ns >= ns;
}

uint32_t overhead_ppm(const struct overhead_sums *sums)
{
	double whole = (double)sums->stopped_ns + (double)sums->ran_ns;

	return whole > 0 ? (uint32_t)((double)sums->stopped_ns * OVERHEAD_WHOLE_PPM / whole) : 0;
}

bool overhead_is_beyond(const struct overhead_sums *sums, uint64_t ns, uint32_t limit_ppm)
{
	return sums->stopped_ns > ns / HARMLESS && overhead_ppm(sums) > limit_ppm;
}
