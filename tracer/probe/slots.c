/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds and hands out slack behind executable segments and between functions. */
#include "slots.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../base/array.h"
#include "allocators.h"
#include "padding.h"

#define PAGE_BYTES 4096
#define SLOT_ALIGN 4

/* More than any allocator's functions need. */
#define ENOUGH_BYTES 1024

static taddr_t page_up(taddr_t address)
{
	return (address + PAGE_BYTES - 1) & ~(taddr_t)(PAGE_BYTES - 1);
}

static bool is_mapped_code(const struct module *module, taddr_t start, taddr_t end)
{
	for (size_t i = 0; i < module->code.nr; i++)
		if (start >= module->code.items[i].start && end <= module->code.items[i].end)
			return true;
	return false;
}

static bool is_zero(const struct memory *memory, taddr_t start, size_t bytes)
{
	uint8_t content[PAGE_BYTES];

	if (!memread_exact(&memory->read, start, content, bytes))
		return false;
	for (size_t i = 0; i < bytes; i++)
		if (content[i])
			return false;
	return true;
}

/* The program, the loader and the vdso stay for as long as the process does. */
static bool is_lasting(const struct module *module)
{
	const struct elf_module *elf = &module->file->elf;

	for (size_t i = 0; i < elf->nr_symbols; i++)
		if (allocator_function(elf->symbols[i].name)->call == CALL_LOADER)
			return true;
	return module->is_program || !strcmp(module->path, "[vdso]");
}

static int add_region(struct slots *slots, const struct module *module, taddr_t start,
		      taddr_t end)
{
	if (ARRAY_GROW(slots))
		return -ENOMEM;
	slots->items[slots->nr++] = (struct slot_region){
		.start = start, .next = start, .end = end,
		.module = module->id, .lasting = is_lasting(module),
	};
	return 0;
}

/* What is behind one executable segment; *bytes grows by it. */
static int add_slack(struct slots *slots, const struct memory *memory,
		     const struct module *module, const struct elf_segment *segment,
		     size_t *bytes)
{
	taddr_t file_end = module->bias + segment->vaddr + segment->file_bytes;
	taddr_t start = (file_end + 15) & ~(taddr_t)15, end = page_up(file_end);

	if (!(segment->flags & PF_X) || segment->file_bytes != segment->memory_bytes ||
	    start >= end || !is_mapped_code(module, start, end) ||
	    !is_zero(memory, start, end - start))
		return 0;
	*bytes += end - start;
	return add_region(slots, module, start, end);
}

static int add_padding(struct slots *slots, const struct memory *memory,
		       const struct module *module, size_t *bytes)
{
	taddr_t start, end;
	uint32_t row = 0;
	int error = 0;

	while (!error && *bytes < ENOUGH_BYTES &&
	       padding_next(module, &memory->read, &row, &start, &end)) {
		*bytes += end - start;
		error = add_region(slots, module, start, end);
	}
	return error;
}

int slots_add_module(struct slots *slots, const struct memory *memory,
		     const struct module *module)
{
	size_t bytes = 0;
	int error = 0;

	if (!module->file || !module->file->known)
		return 0;
	for (size_t i = 0; !error && i < module->file->elf.nr_segments; i++)
		error = add_slack(slots, memory, module, &module->file->elf.segments[i], &bytes);
	return error ? error : add_padding(slots, memory, module, &bytes);
}

void slots_remove_module(struct slots *slots, uint32_t module)
{
	size_t kept = 0;

	for (size_t i = 0; i < slots->nr; i++)
		if (slots->items[i].module != module)
			slots->items[kept++] = slots->items[i];
	slots->nr = kept;
}

void slots_deinit(struct slots *slots)
{
	free(slots->items);
	*slots = (struct slots){ 0 };
}

static bool may_use(const struct slot_region *region, uint32_t module, bool own)
{
	return own ? region->module == module : region->module != module && region->lasting;
}

static int take(struct slot_region *region, struct memory *memory, const uint8_t *bytes,
		size_t nr_bytes, taddr_t *out)
{
	taddr_t place = region->next;
	int error;

	if (nr_bytes > region->end - place)
		return -ENOSPC;
	error = memory_patch(memory, place, bytes, nr_bytes);
	if (error)
		return error;
	region->next = (place + nr_bytes + SLOT_ALIGN - 1) & ~(taddr_t)(SLOT_ALIGN - 1);
	if (region->next > region->end)
		region->next = region->end;
	*out = place;
	return 0;
}

static int place_copy(struct slots *slots, struct memory *memory, uint32_t module, bool own,
		      const struct displaced *displaced, taddr_t *out)
{
	uint8_t code[DISPLACED_SLOT_MAX];

	for (size_t i = 0; i < slots->nr; i++) {
		struct slot_region *region = &slots->items[i];
		ssize_t nr_bytes;

		if (!may_use(region, module, own))
			continue;
		nr_bytes = displaced_copy(displaced, region->next, code);
		if (nr_bytes > 0 && !take(region, memory, code, (size_t)nr_bytes, out))
			return 0;
	}
	return -ENOSPC;
}

int slots_place(struct slots *slots, struct memory *memory, uint32_t module,
		const struct displaced *displaced, taddr_t *out)
{
	if (!place_copy(slots, memory, module, true, displaced, out))
		return 0;
	return place_copy(slots, memory, module, false, displaced, out);
}

static int place_ret(struct slots *slots, struct memory *memory, uint32_t module, bool own,
		     taddr_t *out)
{
	static const uint8_t ret[] = { 0xc3 };

	for (size_t i = 0; i < slots->nr; i++) {
		struct slot_region *region = &slots->items[i];

		if (!may_use(region, module, own))
			continue;
		if (region->ret || !take(region, memory, ret, sizeof(ret), &region->ret)) {
			*out = region->ret;
			return 0;
		}
	}
	return -ENOSPC;
}

int slots_place_ret(struct slots *slots, struct memory *memory, uint32_t module, taddr_t *out)
{
	if (!place_ret(slots, memory, module, true, out))
		return 0;
	return place_ret(slots, memory, module, false, out);
}

bool slots_contain(const struct slots *slots, taddr_t pc)
{
	for (size_t i = 0; i < slots->nr; i++)
		if (pc >= slots->items[i].start && pc < slots->items[i].next)
			return true;
	return false;
}
