/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See brake.h. */
#include "brake.h"

/* How much longer it would have to run undisturbed. */
static double lacks_ns(const struct overhead_sums *sums, uint32_t limit_ppm)
{
	double rest_ppm = OVERHEAD_WHOLE_PPM - limit_ppm;

	return (double)sums->stopped_ns * rest_ppm / limit_ppm - (double)sums->ran_ns;
}

bool brake_wants_pause(const struct overhead *overhead, uint32_t limit_ppm)
{
	struct overhead_sums recent;
	bool is_whole = overhead_recent(overhead, BRAKE_WINDOW_NS, &recent);

	return overhead_is_beyond(&recent, BRAKE_WINDOW_NS, limit_ppm) &&
	       (is_whole || lacks_ns(&recent, limit_ppm) >= BRAKE_MOST_NS);
}

void brake_begin_pause(struct brake *brake, const struct overhead *overhead)
{
	struct overhead_sums recent;

	(void)overhead_recent(overhead, BRAKE_WINDOW_NS, &recent);
	*brake = (struct brake){
		.pausing = true, .began_ns = overhead->last.at_ns,
		.from = overhead_since(overhead, &recent),
	};
}

bool brake_is_pause_over(const struct brake *brake, const struct overhead *overhead,
			 uint32_t limit_ppm)
{
	uint64_t paused_ns = overhead->last.at_ns - brake->began_ns;
	struct overhead_sums sums = overhead_since(overhead, &brake->from);

	return paused_ns >= BRAKE_MOST_NS ||
	       (paused_ns >= BRAKE_LEAST_NS && overhead_ppm(&sums) <= limit_ppm);
}

uint64_t brake_end_pause(struct brake *brake, const struct overhead *overhead)
{
	uint64_t paused_ns = brake->pausing ? overhead->last.at_ns - brake->began_ns : 0;

	brake->pausing = false;
	return paused_ns;
}
