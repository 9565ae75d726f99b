/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --resolve: a JSON report that was written elsewhere, or in haste, gets the names that can be had
 * here, and is printed in the formats asked for.  Files are known by their build ids alone.  One
 * thread.
 */
#ifndef MEMTRACE_RESOLVE_H
#define MEMTRACE_RESOLVE_H

#include "options.h"

/* 0 or -errno, told already. */
int resolve_report(const struct options *options, struct symbolizer *symbolizer);

#endif
