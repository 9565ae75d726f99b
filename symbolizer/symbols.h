/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names to addresses: where a module defines the functions that the tracer asks for. */
#ifndef MEMTRACE_SYMBOLIZER_SYMBOLS_H
#define MEMTRACE_SYMBOLIZER_SYMBOLS_H

#include "modules.h"

struct wanted {			/* names, sorted for the search */
	struct wanted_name {
		const char *name;
		uint32_t index;
	} *items;
	size_t nr;
};

struct symbols {
	struct elf_symbol *items;
	size_t nr, room;
	bool has_exceptions;	/* as in struct elf_module */
	uint32_t runtimes;	/* what the names tell of them */
};

/* The strings stay the caller's.  0 or -ENOMEM. */
int wanted_init(struct wanted *wanted, const char *const *names, size_t nr_names);

/* Those of .dynsym and of .symtab, which may lie in a separate debug file or in mini debug
 * information.  The caller frees items. */
int symbols_find(const struct module *module, const struct wanted *wanted, struct symbols *out);

#endif
