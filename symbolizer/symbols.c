/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One pass over each symbol table, with a binary search in the names wanted. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../tracer/base/array.h"
#include "runtimes.h"
#include "symbols.h"

#define SYMBOLS_MAX 4096

static int compare_names(const void *one, const void *other)
{
	const struct wanted_name *a = one, *b = other;

	return strcmp(a->name, b->name);
}

int wanted_init(struct wanted *wanted, const char *const *names, size_t nr_names)
{
	wanted->nr = nr_names;
	wanted->items = calloc(nr_names + 1, sizeof(*wanted->items));
	if (!wanted->items)
		return -ENOMEM;
	for (size_t i = 0; i < nr_names; i++)
		wanted->items[i] = (struct wanted_name){ names[i], (uint32_t)i };
	qsort(wanted->items, nr_names, sizeof(*wanted->items), compare_names);
	return 0;
}

/* False: it is not defined here, or nothing that has a name of its own. */
static bool kind_of(const GElf_Sym *symbol, enum elf_symbol_kind *out)
{
	bool local = GELF_ST_BIND(symbol->st_info) == STB_LOCAL;

	if (!symbol->st_value || symbol->st_shndx == SHN_UNDEF)
		return false;
	switch (GELF_ST_TYPE(symbol->st_info)) {
	case STT_FUNC:
		*out = local ? SYMBOL_LOCAL : SYMBOL_GLOBAL;
		return true;
	case STT_GNU_IFUNC:
		*out = SYMBOL_INDIRECT;
		return true;
	case STT_NOTYPE:
	case STT_OBJECT:
		*out = SYMBOL_DATA;
		return true;
	default:
		return false;
	}
}

static struct elf_symbol *find_known(const struct symbols *symbols, uint32_t name, uint64_t vaddr)
{
	for (size_t i = 0; i < symbols->nr; i++)
		if (symbols->items[i].name == name && symbols->items[i].vaddr == vaddr)
			return &symbols->items[i];
	return NULL;
}

static int add(const struct elf_symbol *symbol, struct symbols *out)
{
	struct elf_symbol *known = find_known(out, symbol->name, symbol->vaddr);

	if (known && symbol->kind < known->kind)
		known->kind = symbol->kind;
	if (known || out->nr >= SYMBOLS_MAX)
		return 0;
	if (ARRAY_GROW(out))
		return -ENOMEM;
	out->items[out->nr++] = *symbol;
	return 0;
}

/* What is referred to where an exception is thrown or runs through code that cares: the runtime of
 * C++, Rust, Ada, D...  That of C alone is for cleanups at pthread_exit(3). */
static bool is_of_exceptions(const char *name)
{
	if (strncmp(name, "__", 2) && strncmp(name, "rust", 4) && strncmp(name, "_d_", 3))
		return false;
	return !strcmp(name, "__cxa_throw") || strstr(name, "eh_personality") ||
	       (strstr(name, "_personality_v0") && strncmp(name, "__gcc_", 6));
}

static int consider(const struct wanted *wanted, const char *name, const GElf_Sym *symbol,
		    struct symbols *out)
{
	struct wanted_name key = { .name = name };
	const struct wanted_name *found;
	enum elf_symbol_kind kind = SYMBOL_DATA;
	bool is_defined;

	if (!name)
		return 0;
	is_defined = kind_of(symbol, &kind);
	out->has_exceptions |= is_of_exceptions(name);
	out->runtimes |= runtime_of_symbol(name, is_defined);
	if (!is_defined)
		return 0;
	found = bsearch(&key, wanted->items, wanted->nr, sizeof(key), compare_names);
	if (!found)
		return 0;
	return add(&(struct elf_symbol){
		.name = found->index, .kind = kind, .vaddr = symbol->st_value,
		.size_bytes = symbol->st_size,
	}, out);
}

static int search_section(Elf *elf, Elf_Scn *section, const GElf_Shdr *header,
			  const struct wanted *wanted, struct symbols *out)
{
	Elf_Data *data = elf_getdata(section, NULL);
	size_t nr = data && header->sh_entsize ? data->d_size / header->sh_entsize : 0;
	GElf_Sym symbol;
	int ret = 0;

	for (size_t i = 0; !ret && i < nr && gelf_getsym(data, (int)i, &symbol); i++)
		ret = consider(wanted, elf_strptr(elf, header->sh_link, symbol.st_name), &symbol,
			       out);
	return ret;
}

static int search_dynamic(Elf *elf, const struct wanted *wanted, struct symbols *out)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	int ret = 0;

	while (!ret && (section = elf_nextscn(elf, section)))
		if (gelf_getshdr(section, &header) && header.sh_type == SHT_DYNSYM)
			ret = search_section(elf, section, &header, wanted, out);
	return ret;
}

/* libdwfl's table is .symtab of the module, of its debug file, or of the mini debug
 * information, in this order; its addresses are adjusted where those files were prelinked. */
int symbols_find(const struct module *module, const struct wanted *wanted, struct symbols *out)
{
	int ret = search_dynamic(module->elf, wanted, out);
	int nr = ret ? 0 : dwfl_module_getsymtab(module->dwfl);
	GElf_Sym symbol;

	for (int i = 0; !ret && i < nr; i++) {
		const char *name = dwfl_module_getsym(module->dwfl, i, &symbol, NULL);

		ret = consider(wanted, name, &symbol, out);
	}
	return ret;
}
