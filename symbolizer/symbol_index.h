/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The function of a symbol table that holds an address. */
#ifndef MEMTRACE_SYMBOLIZER_SYMBOL_INDEX_H
#define MEMTRACE_SYMBOLIZER_SYMBOL_INDEX_H

#include "modules.h"

/* 0 or -ENOMEM; a module without symbols gets an empty index. */
int symbol_index_create(struct module *module, struct symbol_index **out);
void symbol_index_destroy(struct symbol_index *index);

/* As the file has it; NULL: none. */
const char *symbol_index_name(const struct symbol_index *index, uint64_t vaddr);

#endif
