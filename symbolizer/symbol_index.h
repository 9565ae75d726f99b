/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The function, or the variable, of a symbol table that holds an address. */
#ifndef MEMTRACE_SYMBOLIZER_SYMBOL_INDEX_H
#define MEMTRACE_SYMBOLIZER_SYMBOL_INDEX_H

#include "modules.h"

enum symbol_index_of {
	SYMBOLS_OF_CODE,
	SYMBOLS_OF_DATA,	/* that has an address in the file: no thread-local variables */
};

/* 0 or -ENOMEM; a module without symbols gets an empty index. */
int symbol_index_create(struct module *module, enum symbol_index_of of, struct symbol_index **out);
void symbol_index_destroy(struct symbol_index *index);

/* As the file has it, and (start may be NULL) where it begins; NULL: none. */
const char *symbol_index_name(const struct symbol_index *index, uint64_t vaddr, uint64_t *start);

#endif
