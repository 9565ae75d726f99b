/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Under sampling the figures of a model are what its samples stand for, in whole blocks and
 * bytes: those of each site, and totals that are the sums over the sites.  Without sampling
 * nothing is changed here.
 */
#ifndef MEMTRACE_REPORT_ESTIMATES_H
#define MEMTRACE_REPORT_ESTIMATES_H

#include "report.h"

/* NULL: there is no sampling. */
void estimates_of_site(struct model_site *site, const struct site_estimate *estimate);

/* Once all sites are there. */
void estimates_of_all(struct model *model);

#endif
