/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One warning a name, with what stands in its way where that is known. */
#include "missing.h"

#include "base/inert.h"
#include "base/message.h"

/* A symbol of that name, a function's before any other; NULL: there is none. */
static const struct elf_symbol *find(const struct module *module, size_t number)
{
	const struct elf_symbol *found = NULL;

	if (!module->file || !module->file->known)
		return NULL;
	for (size_t i = 0; i < module->file->elf.nr_symbols; i++) {
		const struct elf_symbol *symbol = &module->file->elf.symbols[i];

		if (symbol->name == number && (!found || symbol->kind < found->kind))
			found = symbol;
	}
	return found;
}

/* Perhaps by another name, as that of a known function. */
static bool is_found(const struct modules *modules, size_t number)
{
	for (size_t i = 0; i < modules->nr; i++) {
		const struct elf_symbol *symbol = find(modules->items[i], number);

		if (symbol && symbol->kind <= SYMBOL_LOCAL)
			return true;
	}
	return false;
}

static const char *words_for(const struct elf_symbol *symbol)
{
	return symbol->kind == SYMBOL_INDIRECT
		? "is chosen at run time (an ifunc); give the function that is chosen"
		: "is no function";
}

static void tell(const struct run *run, size_t number, bool is_over)
{
	const struct allocator_function *kind = allocator_function(number);
	const char *option = kind->call == CALL_FREE ? "--free" : "--alloc";
	const struct modules *modules = &run->probe->modules;
	char path[256];

	for (size_t i = 0; i < modules->nr; i++) {
		const struct elf_symbol *other = find(modules->items[i], number);

		if (!other)
			continue;
		message_warn("pid %d: %s %s: %s in %s", run->facts.pid, option, kind->symbol,
			     words_for(other),
			     inert(path, sizeof(path), modules->items[i]->path));
		return;
	}
	message_warn("pid %d: %s %s: no such function in any of its %zu files%s", run->facts.pid,
		     option, kind->symbol, modules->nr,
		     is_over ? "" : "; a library that is loaded later may have it");
}

void missing_tell(const struct run *run, bool is_over)
{
	if (!run->probe)
		return;
	for (size_t number = 0; number < allocator_functions_nr(); number++)
		if (allocator_function(number)->is_named &&
		    !is_found(&run->probe->modules, number))
			tell(run, number, is_over);
}
