/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Debug information made ready while the target runs: a report then need not wait until
 * hundreds of megabytes are decompressed.  A thread of its own, since the target may be waiting
 * for the next module meanwhile.
 *
 * Called by the serving thread alone.
 */
#ifndef MEMTRACE_SYMBOLIZER_BACKGROUND_H
#define MEMTRACE_SYMBOLIZER_BACKGROUND_H

#include "modules.h"

/* The module must not be touched until background_wait().  What fails is done when it is needed. */
void background_prepare(struct module *module);

/* Returns when nothing is under way. */
void background_wait(void);

#endif
