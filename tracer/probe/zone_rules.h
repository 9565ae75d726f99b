/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unwind rules (symbolizer/rules.h) of a zone, from the rows that its slots have: offsets are
 * from the zone's start, so that zones with the same contents have the same rules.
 */
#ifndef MEMTRACE_PROBE_ZONE_RULES_H
#define MEMTRACE_PROBE_ZONE_RULES_H

#include "zones.h"

/* The caller frees it; NULL: no memory. */
struct rules *zone_rules_build(const struct zone *zone, size_t *bytes);

#endif
