/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses of data to the variables that hold them: names by the symbol table, and by the debug
 * information the line that declares each.
 */
#ifndef MEMTRACE_SYMBOLIZER_VARIABLES_H
#define MEMTRACE_SYMBOLIZER_VARIABLES_H

#include "frames.h"

/* Before the first lookup in a module.  0 or -ENOMEM. */
int variables_prepare(struct module *module);

/* Appends the variable of one address; none where nothing is known, or that was beyond the limits
 * of a reply. */
int variables_add(struct module *module, uint64_t vaddr, struct frames *frames);

/* Frees what was made for the module. */
void variables_forget(struct module *module);

#endif
