/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses to functions, files and lines, with the functions inlined there. */
#ifndef MEMTRACE_SYMBOLIZER_FRAMES_H
#define MEMTRACE_SYMBOLIZER_FRAMES_H

#include "modules.h"
#include "strings.h"

struct frames {
	struct wire_frame *items;
	size_t nr, room;
	struct strings strings;
};

/* Before the first lookup in a module: finds its debug information, which may take long. */
int frames_prepare(struct module *module);

/* Appends the frames of one address, innermost first; none where nothing is known, or that were
 * beyond the limits of a reply. */
int frames_add(struct module *module, uint64_t vaddr, struct frames *frames);

/* For what names other things: appends one that is mangled, as a symbol table has it; -E2BIG beyond
 * the limits of a reply. */
int frames_append(struct frames *frames, const struct symbol_frame *frame);
/* A file's name with the directory of its unit, where it is relative; good until the next call. */
const char *frames_absolute(const char *file, Dwarf_Die *unit);

/* Frees what was made for the module. */
void frames_forget(struct module *module);

#endif
