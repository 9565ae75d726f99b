/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is to be known of a process that has a runtime with an allocator of its own. */
#ifndef MEMTRACE_REPORT_RUNTIMES_H
#define MEMTRACE_REPORT_RUNTIMES_H

#include "report.h"

struct runtime {
	enum elf_runtime bit;
	const char *key;	/* in JSON */
	const char *words;	/* a sentence without its full stop */
};

/* The i-th, NULL past the last. */
const struct runtime *runtime_at(size_t i);

#endif
