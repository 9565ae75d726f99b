/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From symbols to functions, and through their code. */
#include "functions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../base/array.h"

#define TAILS_MAX 64
#define UNBOUNDED_BYTES 4096

static bool defines(const struct elf_module *elf, const char *symbol)
{
	for (size_t i = 0; i < elf->nr_symbols; i++)
		if (elf->symbols[i].kind == SYMBOL_GLOBAL &&
		    !strcmp(allocator_function(elf->symbols[i].name)->symbol, symbol))
			return true;
	return false;
}

/* jemalloc's operator new does not call the malloc beside it. */
static bool is_allocator(const struct elf_module *elf)
{
	return defines(elf, "malloc") || defines(elf, "je_malloc");
}

/* glibc's loader has a malloc of its own in older versions, for its first steps only.  musl's
 * loader is its C library. */
static bool is_loader_only(const struct module *module)
{
	const struct elf_module *elf = &module->file->elf;

	return !module->is_program && defines(elf, "_dl_debug_state") &&
	       strncmp(elf->version, "musl", 4);
}

static bool is_known(const struct functions *functions, const struct module *module,
		     taddr_t address)
{
	for (size_t i = 0; i < functions->nr; i++)
		if (functions->items[i].address == address && functions->items[i].module == module)
			return true;
	return false;
}

static int add(struct functions *functions, const struct module *module,
	       const struct elf_symbol *symbol)
{
	const struct allocator_function *kind = allocator_function(symbol->name);
	taddr_t address = module->bias + symbol->vaddr;

	if (is_known(functions, module, address))
		return 0;
	if (ARRAY_GROW(functions))
		return -ENOMEM;
	functions->items[functions->nr++] = (struct function){
		.kind = kind,
		.module = module,
		.address = address,
		.size_bytes = symbol->size_bytes,
		/* Of the user's functions nothing else is known. */
		.throws = kind->throws || (kind->is_named && module->file->elf.has_exceptions),
	};
	return 0;
}

static bool counts(const struct allocator_function *kind, bool loader_only, bool has_malloc)
{
	if (!allocator_counts(kind) || kind->is_named)
		return true;
	return !loader_only && (has_malloc || !kind->needs_malloc);
}

static bool is_function(const struct elf_symbol *symbol, const struct allocator_function *kind)
{
	return symbol->kind == SYMBOL_GLOBAL ||
	       (symbol->kind == SYMBOL_LOCAL && kind->may_be_local);
}

int functions_find(struct functions *functions, const struct module *module)
{
	const struct elf_module *elf;
	bool loader_only, has_malloc;
	int error = 0;

	if (!module->file || !module->file->known)
		return 0;
	elf = &module->file->elf;
	loader_only = is_loader_only(module);
	has_malloc = is_allocator(elf);
	for (size_t number = 0; number < allocator_functions_nr(); number++) {
		const struct allocator_function *kind = allocator_function(number);

		if (!counts(kind, loader_only, has_malloc))
			continue;
		for (size_t i = 0; !error && i < elf->nr_symbols; i++)
			if (elf->symbols[i].name == number && is_function(&elf->symbols[i], kind))
				error = add(functions, module, &elf->symbols[i]);
	}
	return error;
}

static void bounds_of(const struct function *function, taddr_t address,
		      const struct unwind_map *map, taddr_t *start, taddr_t *end)
{
	const struct unwind_range *range = unwind_map_find(map, address);

	*start = address;
	*end = address + UNBOUNDED_BYTES;
	if (address == function->address && function->size_bytes)
		*end = address + function->size_bytes;
	else if (range && !unwind_function_at(range, address, start, end) && *end > range->end)
		*end = range->end;
}

static int merge(struct flow_addresses *into, const struct flow_addresses *from)
{
	int error = 0;

	for (size_t i = 0; !error && i < from->nr; i++)
		error = flow_add(into, from->items[i]);
	return error;
}

/* A PLT stub: nothing but an indirect jump. */
static bool is_stub(const struct memread *code, taddr_t address)
{
	struct flow flow;
	bool stub;

	if (flow_explore(code, address, address, address + 16, &flow))
		return false;
	stub = flow.indirect_jump && !flow.calls.nr && !flow.returns.nr;
	flow_release(&flow);
	return stub;
}

static int note_own(struct function *function, const struct flow *flow,
		    const struct memread *code)
{
	function->first_target = flow->first_target;
	function->undecodable = flow->undecodable;
	function->calls_unknown = flow->indirect_call;
	for (size_t i = 0; i < flow->calls.nr; i++)
		function->calls_unknown |= is_stub(code, flow->calls.items[i]);
	return merge(&function->calls, &flow->calls);
}

/* One piece of the function: itself, or a tail. */
static int explore_piece(struct function *function, taddr_t address, const struct memread *code,
			 const struct unwind_map *map)
{
	taddr_t start, end;
	struct flow flow;
	int error;

	bounds_of(function, address, map, &start, &end);
	if (ARRAY_GROW(&function->pieces))
		return -ENOMEM;
	function->pieces.items[function->pieces.nr++] = (struct function_piece){ start, end };
	error = flow_explore(code, address, start, end, &flow);
	if (error) {
		function->returns_known = false;
		function->undecodable |= address == function->address;
		return error == -ENOMEM ? error : 0;
	}
	if (flow.indirect_jump || flow.undecodable)
		function->returns_known = false;
	function->tails_unknown |= flow.indirect_jump;
	error = merge(&function->returns, &flow.returns);
	if (!error && address == function->address)
		error = note_own(function, &flow, code);
	if (!error)
		error = merge(&function->tails, &flow.tails);
	flow_release(&flow);
	return error;
}

static void forget_code(struct function *function)
{
	function->returns.nr = function->tails.nr = function->calls.nr = 0;
	function->pieces.nr = 0;
	function->undecodable = function->tails_unknown = function->calls_unknown = false;
}

int function_explore(struct function *function, const struct memread *code,
		     const struct unwind_map *map)
{
	int error;

	forget_code(function);
	function->returns_known = true;
	error = explore_piece(function, function->address, code, map);
	for (size_t i = 0; !error && i < function->tails.nr && i < TAILS_MAX; i++)
		error = explore_piece(function, function->tails.items[i], code, map);
	if (function->tails.nr > TAILS_MAX || !function->returns.nr)
		function->returns_known = false;
	function->explored = !error && !function->undecodable;
	return error;
}

bool function_hands_on_to(const struct function *outer, taddr_t address)
{
	/* Through a PLT it may be any other one. */
	return flow_has(&outer->tails, address) ||
	       (outer->tails_unknown && outer->address != address);
}

bool function_covers(const struct function *function, taddr_t pc)
{
	for (size_t i = 0; i < function->pieces.nr; i++)
		if (pc >= function->pieces.items[i].start && pc < function->pieces.items[i].end)
			return true;
	return false;
}

static bool may_nest(const struct functions *functions, const struct function *function)
{
	if (function->calls_unknown || !function->returns_known)
		return true;
	for (size_t i = 0; i < functions->nr; i++)
		if (flow_has(&function->calls, functions->items[i].address) ||
		    flow_has(&function->tails, functions->items[i].address))
			return true;
	return false;
}

void functions_relate(struct functions *functions)
{
	for (size_t i = 0; i < functions->nr; i++)
		functions->items[i].may_nest = may_nest(functions, &functions->items[i]);
}

void functions_deinit(struct functions *functions)
{
	for (size_t i = 0; i < functions->nr; i++) {
		free(functions->items[i].returns.items);
		free(functions->items[i].tails.items);
		free(functions->items[i].calls.items);
		free(functions->items[i].pieces.items);
	}
	free(functions->items);
	*functions = (struct functions){ 0 };
}
