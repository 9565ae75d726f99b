/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libdwfl's own search reads the whole table for each address; here it is sorted once.  A symbol
 * without a size (assembly code) reaches to the next symbol or the end of its section.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "demangle.h"
#include "ranges.h"
#include "symbol_index.h"

struct symbol_index {
	Dwfl_Module *module;
	struct ranges symbols;		/* what: number in libdwfl's table */
	enum symbol_index_of of;
	struct ranges sections;		/* that hold such symbols */
};

static bool holds(const GElf_Shdr *section, enum symbol_index_of of)
{
	return section->sh_flags & SHF_ALLOC && !(section->sh_flags & SHF_TLS) &&
	       !(section->sh_flags & SHF_EXECINSTR) == (of == SYMBOLS_OF_DATA);
}

static int add_sections(struct symbol_index *index, Elf *elf)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	int ret = 0;

	while (!ret && (section = elf_nextscn(elf, section)))
		if (gelf_getshdr(section, &header) && holds(&header, index->of))
			ret = ranges_add(&index->sections, (struct range){
				.low = header.sh_addr, .high = header.sh_addr + header.sh_size,
			});
	ranges_sort(&index->sections);
	return ret;
}

/* Of several names for one address the global one, then the one a programmer would write. */
static uint32_t rank(const GElf_Sym *symbol, const char *name)
{
	uint32_t underscores = (uint32_t)strspn(name, "_");
	uint32_t plain = demangle_is_mangled(name) ? 7 : underscores < 7 ? 7 - underscores : 0;
	uint32_t typed = GELF_ST_TYPE(symbol->st_info) != STT_NOTYPE;
	uint32_t global = GELF_ST_BIND(symbol->st_info) != STB_LOCAL;

	return typed << 4 | global << 3 | plain;
}

/* The linker's own marks (_edata) are of no type, and no variables. */
static bool is_wanted(const struct symbol_index *index, const GElf_Sym *symbol)
{
	int type = GELF_ST_TYPE(symbol->st_info);

	if (symbol->st_shndx == SHN_UNDEF)
		return false;
	if (index->of == SYMBOLS_OF_DATA)
		return type == STT_OBJECT;
	return type == STT_FUNC || type == STT_GNU_IFUNC ||
	       (type == STT_NOTYPE && GELF_ST_BIND(symbol->st_info) != STB_LOCAL);
}

static int add_symbol(struct symbol_index *index, int number)
{
	GElf_Sym symbol;
	const char *name = dwfl_module_getsym(index->module, number, &symbol, NULL);
	const struct range *section;
	struct range range = { .what = (uint64_t)number };

	if (!name || !*name || !is_wanted(index, &symbol))
		return 0;
	section = ranges_find(&index->sections, symbol.st_value);
	if (!section)
		return 0;
	range.low = symbol.st_value;
	range.high = symbol.st_value + symbol.st_size;
	range.open = !symbol.st_size;
	range.rank = rank(&symbol, name);
	if (range.open || range.high > section->high)
		range.high = section->high;
	return ranges_add(&index->symbols, range);
}

int symbol_index_create(struct module *module, enum symbol_index_of of, struct symbol_index **out)
{
	struct symbol_index *index = calloc(1, sizeof(*index));
	int nr, ret;

	if (!index)
		return -ENOMEM;
	index->module = module->dwfl;
	index->of = of;
	ret = add_sections(index, module->elf);
	nr = dwfl_module_getsymtab(module->dwfl);
	for (int i = 0; !ret && i < nr; i++)
		ret = add_symbol(index, i);
	if (ret) {
		symbol_index_destroy(index);
		return ret;
	}
	ranges_sort(&index->symbols);
	*out = index;
	return 0;
}

void symbol_index_destroy(struct symbol_index *index)
{
	if (!index)
		return;
	ranges_release(&index->symbols);
	ranges_release(&index->sections);
	free(index);
}

const char *symbol_index_name(const struct symbol_index *index, uint64_t vaddr, uint64_t *start)
{
	const struct range *found = ranges_find(&index->symbols, vaddr);
	GElf_Sym symbol;

	if (found && start)
		*start = found->low;
	return found ? dwfl_module_getsym(index->module, (int)found->what, &symbol, NULL) : NULL;
}
