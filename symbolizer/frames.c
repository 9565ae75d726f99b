/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the function of the debug information down through blocks and inlined calls, as long as they
 * hold the address.  The line table gives the line of the innermost frame, each inlined call the
 * line of the frame around it.  Without debug information the symbol table gives a name.
 */
#include <dwarf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../tracer/base/array.h"
#include "demangle.h"
#include "dwarf_index.h"
#include "frames.h"
#include "symbol_index.h"

#define INLINE_MAX 256
#define DEPTH_MAX 1024

struct location {
	const char *file;	/* may be relative to the unit's directory */
	uint32_t line;
	Dwarf_Die unit;
};

int frames_prepare(struct module *module)
{
	int ret;

	if (module->dwarf || module->lacks_debug_info)
		return 0;
	modules_allow_download(true);
	ret = dwarf_index_create(module, &module->dwarf);
	modules_allow_download(false);
	if (ret != -ENOENT)
		return ret;
	module->lacks_debug_info = true;
	return module->symbols ? 0 : symbol_index_create(module, SYMBOLS_OF_CODE, &module->symbols);
}

void frames_forget(struct module *module)
{
	dwarf_index_destroy(module->dwarf);
	symbol_index_destroy(module->symbols);
	module->dwarf = NULL;
	module->symbols = NULL;
}

int frames_append(struct frames *frames, const struct symbol_frame *frame)
{
	if (frames->nr >= WIRE_FRAMES_MAX)
		return -E2BIG;
	if (ARRAY_GROW(frames))
		return -ENOMEM;
	frames->items[frames->nr] = (struct wire_frame){
		.function = frame->function ?
			    strings_add(&frames->strings, demangle(frame->function)) : 0,
		.file = strings_add(&frames->strings, frame->file),
		.line = frame->line,
		.inlined = frame->inlined,
		.offset = frame->offset,
	};
	if (frame->function && !frames->items[frames->nr].function)
		return -E2BIG;
	frames->nr++;
	return 0;
}

static const char *symbol_name(struct module *module, uint64_t vaddr)
{
	if (!module->symbols && symbol_index_create(module, SYMBOLS_OF_CODE, &module->symbols))
		return NULL;
	return symbol_index_name(module->symbols, vaddr, NULL);
}

static const char *string_of(Dwarf_Die *die, unsigned int attribute)
{
	Dwarf_Attribute found;

	return dwarf_formstring(dwarf_attr_integrate(die, attribute, &found));
}

static uint32_t number_of(Dwarf_Die *die, unsigned int attribute)
{
	Dwarf_Attribute found;
	Dwarf_Word value;

	if (dwarf_formudata(dwarf_attr(die, attribute, &found), &value) || value > INT32_MAX)
		return 0;
	return (uint32_t)value;
}

static bool is_c(Dwarf_Die *die)
{
	Dwarf_Die unit;

	switch (dwarf_diecu(die, &unit, NULL, NULL) ? dwarf_srclang(&unit) : -1) {
	case DW_LANG_C:
	case DW_LANG_C89:
	case DW_LANG_C99:
	case DW_LANG_C11:
		return true;
	}
	return false;
}

/* The linkage name tells parameters; where a C++ or Rust function itself has none in the debug
 * information, its symbol does.  A C function's linkage name is of no interest. */
static const char *function_name(struct module *module, Dwarf_Die *die, uint64_t vaddr,
				 bool inlined)
{
	const char *name = string_of(die, DW_AT_linkage_name);

	if (!name)
		name = string_of(die, DW_AT_MIPS_linkage_name);
	if (!name && !inlined && !is_c(die))
		name = symbol_name(module, vaddr);
	if (name && demangle_is_mangled(name))
		return name;
	name = string_of(die, DW_AT_name);
	if (!name && !inlined)
		name = symbol_name(module, vaddr);
	return name;
}

const char *frames_absolute(const char *file, Dwarf_Die *unit)
{
	static char joined[8192];
	const char *directory;
	Dwarf_Attribute found;

	if (!file || !*file || *file == '/')
		return file;
	directory = dwarf_formstring(dwarf_attr(unit, DW_AT_comp_dir, &found));
	if (!directory ||
	    snprintf(joined, sizeof(joined), "%s/%s", directory, file) >= (int)sizeof(joined))
		return file;
	return joined;
}

static struct location line_of(struct dwarf_place *place)
{
	struct location location = { .unit = place->unit };
	Dwarf_Line *row = dwarf_getsrc_die(&place->unit, place->address);
	int line;

	if (!row)
		return location;
	location.file = dwarf_linesrc(row, NULL, NULL);
	location.line = !dwarf_lineno(row, &line) && line > 0 ? (uint32_t)line : 0;
	return location;
}

static struct location caller_of(Dwarf_Die *inlined)
{
	struct location location = { .line = number_of(inlined, DW_AT_call_line) };
	uint32_t file = number_of(inlined, DW_AT_call_file);
	Dwarf_Files *files;
	size_t nr_files;

	if (dwarf_diecu(inlined, &location.unit, NULL, NULL) &&
	    !dwarf_getsrcfiles(&location.unit, &files, &nr_files) && file < nr_files)
		location.file = dwarf_filesrc(files, file, NULL, NULL);
	return location;
}

static bool is_scope(int tag)
{
	return tag == DW_TAG_inlined_subroutine || tag == DW_TAG_lexical_block ||
	       tag == DW_TAG_try_block || tag == DW_TAG_catch_block;
}

static bool find_scope(Dwarf_Die *parent, Dwarf_Addr address, Dwarf_Die *out)
{
	Dwarf_Die die;

	if (dwarf_child(parent, &die))
		return false;
	do {
		if (is_scope(dwarf_tag(&die)) && dwarf_haspc(&die, address) > 0) {
			*out = die;
			return true;
		}
	} while (!dwarf_siblingof(&die, &die));
	return false;
}

/* calls[0] is the function, each further one is inlined into the one before it. */
static size_t find_calls(struct dwarf_place *place, Dwarf_Die calls[INLINE_MAX])
{
	Dwarf_Die scope = place->function;
	size_t nr = 1;

	calls[0] = scope;
	for (int depth = 0; depth < DEPTH_MAX && nr < INLINE_MAX; depth++) {
		if (!find_scope(&scope, place->address, &scope))
			break;
		if (dwarf_tag(&scope) == DW_TAG_inlined_subroutine)
			calls[nr++] = scope;
	}
	return nr;
}

static int add_calls(struct module *module, struct dwarf_place *place, uint64_t vaddr,
		     struct frames *frames)
{
	static Dwarf_Die calls[INLINE_MAX];
	struct location location = line_of(place);
	int ret = 0;

	for (size_t i = find_calls(place, calls); !ret && i--;) {
		ret = frames_append(frames, &(struct symbol_frame){
			.function = function_name(module, &calls[i], vaddr, i > 0),
			.file = frames_absolute(location.file, &location.unit),
			.line = location.line, .inlined = i > 0,
		});
		if (i)
			location = caller_of(&calls[i]);
	}
	return ret;
}

static int add_symbol(struct module *module, struct dwarf_place *place, uint64_t vaddr,
		      struct frames *frames)
{
	const char *name = symbol_name(module, vaddr);
	struct location location = { .file = NULL };

	if (place)
		location = line_of(place);
	if (!name && !location.file)
		return 0;
	return frames_append(frames, &(struct symbol_frame){
		.function = name, .line = location.line,
		.file = place ? frames_absolute(location.file, &location.unit) : NULL,
	});
}

static int add_all(struct module *module, uint64_t vaddr, struct frames *frames)
{
	struct dwarf_place place;
	int found = module->dwarf ? dwarf_index_find(module->dwarf, vaddr, &place) : 0;

	if (found < 0)
		return found;
	if (found && place.has_function)
		return add_calls(module, &place, vaddr, frames);
	return add_symbol(module, found ? &place : NULL, vaddr, frames);
}

int frames_add(struct module *module, uint64_t vaddr, struct frames *frames)
{
	size_t nr = frames->nr;
	int ret = add_all(module, vaddr, frames);

	if (ret)
		frames->nr = nr;
	return ret == -E2BIG ? 0 : ret;
}
