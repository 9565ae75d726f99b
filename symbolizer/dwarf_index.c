/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two levels, so that only units that addresses fall into are read: the ranges of all units, from
 * their root DIEs alone, and per unit, when first met, the ranges of its functions.  A function
 * may have several ranges (.cold) and lie in namespaces, types or other functions.  Ranges
 * outside the module's code are of functions that the linker discarded.
 */
#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>

#include "../tracer/base/array.h"
#include "dwarf_index.h"
#include "ranges.h"

#define DEPTH_MAX 64

struct unit {
	Dwarf_Die root;
	struct ranges functions;	/* what: offset of the DIE in `dwarf` */
	Dwarf *dwarf;			/* of the functions; NULL: not indexed yet */
};

struct dwarf_index {
	uint64_t bias;
	struct ranges code;
	struct ranges spans;		/* what: number of the unit */
	struct unit *items;
	size_t nr, room;
};

static int add_code(struct dwarf_index *index, Elf *elf)
{
	size_t nr_headers;
	GElf_Phdr header;
	int ret = 0;

	if (elf_getphdrnum(elf, &nr_headers))
		return 0;
	for (size_t i = 0; !ret && i < nr_headers && gelf_getphdr(elf, (int)i, &header); i++)
		if (header.p_type == PT_LOAD && header.p_flags & PF_X)
			ret = ranges_add(&index->code, (struct range){
				.low = header.p_vaddr - index->bias,
				.high = header.p_vaddr + header.p_memsz - index->bias,
			});
	ranges_sort(&index->code);
	return ret;
}

static int add_ranges(const struct dwarf_index *index, Dwarf_Die *die, uint64_t what,
		      struct ranges *out)
{
	Dwarf_Addr base, start, end;
	ptrdiff_t next = 0;
	int ret = 0;

	while (!ret && (next = dwarf_ranges(die, next, &base, &start, &end)) > 0) {
		const struct range *code = start ? ranges_find(&index->code, start) : NULL;

		if (code && end <= code->high)
			ret = ranges_add(out, (struct range){
				.low = start, .high = end, .what = what,
			});
	}
	return ret;
}

static int add_unit(struct dwarf_index *index, Dwarf_Die *root)
{
	if (ARRAY_GROW(index))
		return -ENOMEM;
	index->items[index->nr] = (struct unit){ .root = *root };
	return add_ranges(index, root, index->nr++, &index->spans);
}

static int add_units(struct dwarf_index *index, Dwarf *dwarf)
{
	Dwarf_CU *unit = NULL;
	Dwarf_Die root;
	uint8_t type;
	int ret = 0;

	while (!ret && !dwarf_get_units(dwarf, unit, &unit, NULL, &type, &root, NULL))
		if (type == DW_UT_compile || type == DW_UT_skeleton)
			ret = add_unit(index, &root);
	ranges_sort(&index->spans);
	if (ret)
		return ret;
	return index->nr ? 0 : -ENOENT;
}

int dwarf_index_create(struct module *module, struct dwarf_index **out)
{
	struct dwarf_index *index;
	Dwarf_Addr bias;
	Dwarf *dwarf = dwfl_module_getdwarf(module->dwfl, &bias);
	int ret;

	if (!dwarf)
		return -ENOENT;
	index = calloc(1, sizeof(*index));
	if (!index)
		return -ENOMEM;
	index->bias = bias;
	ret = add_code(index, module->elf);
	if (!ret)
		ret = add_units(index, dwarf);
	if (ret)
		dwarf_index_destroy(index);
	else
		*out = index;
	return ret;
}

void dwarf_index_destroy(struct dwarf_index *index)
{
	if (!index)
		return;
	for (size_t i = 0; i < index->nr; i++)
		ranges_release(&index->items[i].functions);
	ranges_release(&index->code);
	ranges_release(&index->spans);
	free(index->items);
	free(index);
}

static bool may_hold_functions(int tag)
{
	switch (tag) {
	case DW_TAG_namespace:
	case DW_TAG_module:
	case DW_TAG_subprogram:
	case DW_TAG_lexical_block:
	case DW_TAG_class_type:
	case DW_TAG_structure_type:
	case DW_TAG_union_type:
	case DW_TAG_enumeration_type:
		return true;
	}
	return false;
}

static int add_functions(const struct dwarf_index *index, struct unit *unit, Dwarf_Die *parent,
			 int depth)
{
	Dwarf_Die die;
	int ret = 0;

	if (depth == DEPTH_MAX || dwarf_child(parent, &die))
		return 0;
	do {
		int tag = dwarf_tag(&die);

		if (tag == DW_TAG_subprogram)
			ret = add_ranges(index, &die, dwarf_dieoffset(&die), &unit->functions);
		if (!ret && may_hold_functions(tag) && dwarf_haschildren(&die) > 0)
			ret = add_functions(index, unit, &die, depth + 1);
	} while (!ret && !dwarf_siblingof(&die, &die));
	return ret;
}

/* The DIEs of a skeleton unit are in its split unit; without that it has none. */
static int index_unit(const struct dwarf_index *index, struct unit *unit)
{
	Dwarf_Die split, *tree = &unit->root;
	uint8_t type;
	int ret;

	if (unit->dwarf)
		return 0;
	if (!dwarf_cu_info(unit->root.cu, NULL, &type, NULL, &split, NULL, NULL, NULL) &&
	    type == DW_UT_skeleton && split.addr)
		tree = &split;
	unit->dwarf = dwarf_cu_getdwarf(tree->cu);
	ret = add_functions(index, unit, tree, 0);
	ranges_sort(&unit->functions);
	return ret;
}

int dwarf_index_find(struct dwarf_index *index, uint64_t vaddr, struct dwarf_place *out)
{
	struct dwarf_place place = { .address = vaddr - index->bias };
	const struct range *span = ranges_find(&index->spans, place.address), *function;
	struct unit *unit;
	int ret;

	if (!span)
		return 0;
	unit = &index->items[span->what];
	ret = index_unit(index, unit);
	if (ret)
		return ret;
	place.unit = unit->root;
	function = ranges_find(&unit->functions, place.address);
	place.has_function = function && dwarf_offdie(unit->dwarf, function->what, &place.function);
	*out = place;
	return 1;
}
