/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds the file that a module of another machine was, or its separate debug file.  Paths are
 * guesses: only a file with the right build id is taken.  One thread.
 */
#ifndef MEMTRACE_MODULE_SEARCH_H
#define MEMTRACE_MODULE_SEARCH_H

#include "report/run_facts.h"

struct module_search {
	struct symbolizer *symbolizer;
	const char *const *debug_dirs;
	size_t nr_debug_dirs;
};

enum module_search_result {
	SEARCH_FOUND,
	SEARCH_NOTHING,
	SEARCH_ANOTHER,		/* at its path, but of another build */
};

/* Makes the module known. */
enum module_search_result module_search(const struct module_search *search,
					struct run_module *module);

#endif
