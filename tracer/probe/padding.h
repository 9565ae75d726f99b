/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes between functions that nobody runs: where no unwind data covers the code from the end
 * of one function to the start of the next, and all that is there is nops.  One thread.
 */
#ifndef MEMTRACE_PROBE_PADDING_H
#define MEMTRACE_PROBE_PADDING_H

#include "../target/modules.h"

/* Shorter ones are of no use: a copied instruction and the jump back take 6 bytes or more. */
#define PADDING_LEAST 8

/* The next such gap at or after *row of the module's rules, which it advances. */
bool padding_next(const struct module *module, const struct memread *code, uint32_t *row,
		  taddr_t *start, taddr_t *end);

#endif
