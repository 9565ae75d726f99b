/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which language's or checker's runtime a file is, or is made for: enum elf_runtime. */
#ifndef MEMTRACE_SYMBOLIZER_RUNTIMES_H
#define MEMTRACE_SYMBOLIZER_RUNTIMES_H

#include <gelf.h>
#include <stdbool.h>
#include <stdint.h>

/* What a symbol of that name tells; `defined`: in the file itself. */
uint32_t runtime_of_symbol(const char *name, bool defined);

/* The file's runtimes, of those its symbols have told. */
uint32_t runtimes_settle(Elf *elf, uint32_t of_symbols);

#endif
