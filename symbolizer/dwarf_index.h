/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The compilation unit and the function that hold an address, by debug information. */
#ifndef MEMTRACE_SYMBOLIZER_DWARF_INDEX_H
#define MEMTRACE_SYMBOLIZER_DWARF_INDEX_H

#include "modules.h"

struct dwarf_place {
	Dwarf_Addr address;	/* as the debug information has it */
	Dwarf_Die unit;		/* has the line table */
	Dwarf_Die function;
	bool has_function;
};

/* -ENOENT: no debug information; -ENOMEM. */
int dwarf_index_create(struct module *module, struct dwarf_index **out);
void dwarf_index_destroy(struct dwarf_index *index);

/* 1: found; 0: no unit has the address; -ENOMEM. */
int dwarf_index_find(struct dwarf_index *index, uint64_t vaddr, struct dwarf_place *out);

#endif
