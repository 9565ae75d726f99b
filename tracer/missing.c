/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One warning a name, with what stands in its way where that is known. */
#include "missing.h"

#include "base/inert.h"
#include "base/message.h"

static bool is_found(const struct probe *probe, const struct allocator_function *kind)
{
	for (size_t i = 0; i < probe->functions.nr; i++)
		if (probe->functions.items[i].kind == kind)
			return true;
	return false;
}

/* A symbol of that name which is no function; NULL: there is none. */
static const struct elf_symbol *find_other(const struct module *module, size_t number)
{
	if (!module->file || !module->file->known)
		return NULL;
	for (size_t i = 0; i < module->file->elf.nr_symbols; i++)
		if (module->file->elf.symbols[i].name == number)
			return &module->file->elf.symbols[i];
	return NULL;
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
		const struct elf_symbol *other = find_other(modules->items[i], number);

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
	for (size_t number = 0; number < allocator_functions_nr(); number++) {
		const struct allocator_function *kind = allocator_function(number);

		if (kind->is_named && !is_found(run->probe, kind))
			tell(run, number, is_over);
	}
}
