/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Debug information has no index of variables by address: all of it is read once, as far as a
 * variable may lie in it.  Those of functions are left out where they are automatic, and so have no
 * address.
 */
#include "variables.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>

#include "ranges.h"
#include "symbol_index.h"

#define DEPTH_MAX 64
/* A second or so; what is beyond is named by its symbol alone. */
#define DIES_MAX 4000000

struct variables {
	struct symbol_index *symbols;
	struct ranges starts;		/* what: offset of the DIE */
	Dwarf *dwarf;			/* of the DIEs; NULL: no debug information */
	Dwarf_Addr bias;
	unsigned nr_dies;
};

static bool may_hold_variables(int tag)
{
	return tag == DW_TAG_namespace || tag == DW_TAG_module || tag == DW_TAG_subprogram ||
	       tag == DW_TAG_lexical_block;
}

/* That of a variable that has one address for all of the run. */
static bool find_address(Dwarf_Die *die, Dwarf_Addr *out)
{
	Dwarf_Attribute attribute;
	Dwarf_Op *operations;
	size_t nr;

	if (!dwarf_attr(die, DW_AT_location, &attribute) ||
	    dwarf_getlocation(&attribute, &operations, &nr) || nr != 1 ||
	    operations->atom != DW_OP_addr)
		return false;
	*out = operations->number;
	return true;
}

static int add_variable(struct variables *variables, Dwarf_Die *die)
{
	Dwarf_Addr address;

	if (!find_address(die, &address))
		return 0;
	return ranges_add(&variables->starts, (struct range){
		.low = address, .high = address + 1, .what = dwarf_dieoffset(die),
	});
}

static int add_children(struct variables *variables, Dwarf_Die *parent, int depth)
{
	Dwarf_Die die;
	int ret = 0;

	if (depth == DEPTH_MAX || dwarf_child(parent, &die))
		return 0;
	do {
		int tag = dwarf_tag(&die);

		if (tag == DW_TAG_variable)
			ret = add_variable(variables, &die);
		else if (may_hold_variables(tag) && dwarf_haschildren(&die) > 0)
			ret = add_children(variables, &die, depth + 1);
	} while (!ret && ++variables->nr_dies < DIES_MAX && !dwarf_siblingof(&die, &die));
	return ret;
}

static int add_units(struct variables *variables)
{
	Dwarf_CU *unit = NULL;
	Dwarf_Die root;
	uint8_t type;
	int ret = 0;

	while (!ret && variables->nr_dies < DIES_MAX &&
	       !dwarf_get_units(variables->dwarf, unit, &unit, NULL, &type, &root, NULL))
		if (type == DW_UT_compile)
			ret = add_children(variables, &root, 0);
	ranges_sort(&variables->starts);
	return ret;
}

static void release(struct variables *variables)
{
	symbol_index_destroy(variables->symbols);
	ranges_release(&variables->starts);
	free(variables);
}

int variables_prepare(struct module *module)
{
	struct variables *variables;
	int ret;

	if (module->variables)
		return 0;
	variables = calloc(1, sizeof(*variables));
	if (!variables)
		return -ENOMEM;
	modules_allow_download(true);
	variables->dwarf = dwfl_module_getdwarf(module->dwfl, &variables->bias);
	modules_allow_download(false);
	module->lacks_debug_info |= !variables->dwarf;
	ret = symbol_index_create(module, SYMBOLS_OF_DATA, &variables->symbols);
	if (!ret && variables->dwarf)
		ret = add_units(variables);
	if (ret)
		release(variables);
	else
		module->variables = variables;
	return ret;
}

void variables_forget(struct module *module)
{
	if (module->variables)
		release(module->variables);
	module->variables = NULL;
}

/* A definition may leave name and line to its declaration. */
static void declare(Dwarf_Die *die, struct symbol_frame *variable)
{
	Dwarf_Attribute found;
	Dwarf_Word file, line;
	Dwarf_Files *files;
	Dwarf_Die unit;
	size_t nr;

	if (dwarf_formudata(dwarf_attr_integrate(die, DW_AT_decl_line, &found), &line) ||
	    dwarf_formudata(dwarf_attr_integrate(die, DW_AT_decl_file, &found), &file) ||
	    line > INT32_MAX || !dwarf_diecu(die, &unit, NULL, NULL) ||
	    dwarf_getsrcfiles(&unit, &files, &nr) || file >= nr)
		return;
	variable->file = frames_absolute(dwarf_filesrc(files, file, NULL, NULL), &unit);
	variable->line = (uint32_t)line;
}

static void find_line(const struct variables *variables, uint64_t start,
		      struct symbol_frame *variable)
{
	const struct range *found = ranges_find(&variables->starts, start - variables->bias);
	Dwarf_Die die;

	if (found && dwarf_offdie(variables->dwarf, found->what, &die))
		declare(&die, variable);
}

int variables_add(struct module *module, uint64_t vaddr, struct frames *frames)
{
	const struct variables *variables = module->variables;
	struct symbol_frame variable = { 0 };
	uint64_t start;
	int ret;

	variable.function = symbol_index_name(variables->symbols, vaddr, &start);
	if (!variable.function || vaddr - start > UINT32_MAX)
		return 0;
	variable.offset = (uint32_t)(vaddr - start);
	if (variables->dwarf)
		find_line(variables, start, &variable);
	ret = frames_append(frames, &variable);
	return ret == -E2BIG ? 0 : ret;
}
