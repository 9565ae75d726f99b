/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a frame in a detour's slot is left, at every instruction: in the stub as the template's
 * unwind data says (agent/entry.S), in the copy as the function's own says of the instructions
 * that were copied.  One thread.
 */
#ifndef MEMTRACE_PROBE_DETOUR_RULES_H
#define MEMTRACE_PROBE_DETOUR_RULES_H

#include "detour.h"

/* For a detour that has its place; `out` is empty.  -ENOSPC: there are too many rows. */
int detour_describe(const struct detour *detour, const struct function *function,
		    struct zone_slot *out);

#endif
