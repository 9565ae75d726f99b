/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sums, and the median of what was measured last: a call may have been a long one. */
#include "standstill.h"

#include <stdlib.h>

#define MEASURE_EVERY_NS 20000000

/* No switch takes as long, on two processors of a virtual machine either. */
#define SWITCH_MOST_NS 50000

void standstill_add_stop(struct standstill *standstill, uint64_t held_ns)
{
	standstill->held_ns += held_ns;
	standstill->nr_stops++;
}

bool standstill_wants_switch(const struct standstill *standstill, uint64_t now_ns)
{
	return now_ns - standstill->measured_ns >= MEASURE_EVERY_NS;
}

void standstill_add_switch(struct standstill *standstill, const struct standstill_switch *measured,
			   uint64_t now_ns)
{
	standstill->switches[standstill->nr_switches++ % STANDSTILL_SWITCHES] = *measured;
	standstill->measured_ns = now_ns;
}

static int compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

static uint64_t median(uint64_t *values, unsigned nr)
{
	qsort(values, nr, sizeof(*values), compare);
	return values[nr / 2] < SWITCH_MOST_NS ? values[nr / 2] : SWITCH_MOST_NS;
}

struct standstill_switch standstill_usual_switch(const struct standstill *standstill)
{
	unsigned nr = standstill->nr_switches < STANDSTILL_SWITCHES ? standstill->nr_switches
								    : STANDSTILL_SWITCHES;
	uint64_t took_ns[STANDSTILL_SWITCHES], cpu_ns[STANDSTILL_SWITCHES];

	if (!nr)
		return (struct standstill_switch){ 0 };
	for (unsigned i = 0; i < nr; i++) {
		took_ns[i] = standstill->switches[i].took_ns;
		cpu_ns[i] = standstill->switches[i].cpu_ns;
	}
	return (struct standstill_switch){
		.took_ns = median(took_ns, nr), .cpu_ns = median(cpu_ns, nr),
	};
}
