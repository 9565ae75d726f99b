/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Round robin at the lowest real-time priority: the kernel's own limit on those holds. */
#include "urgency.h"

#include <sched.h>

static int depth, policy;
static struct sched_param parameters;

void urgency_begin(void)
{
	const struct sched_param urgent = { .sched_priority = 1 };

	if (depth++)
		return;
	policy = sched_getscheduler(0);
	if (policy < 0 || sched_getparam(0, &parameters) || sched_setscheduler(0, SCHED_RR, &urgent))
		policy = -1;
}

void urgency_end(void)
{
	if (--depth || policy < 0)
		return;
	(void)sched_setscheduler(0, policy, &parameters);
}
