/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files are read, not the target's memory: there it would bring in pages that nobody needs. */
#include "trampolines.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/array.h"
#include "../unwind/step.h"

#define CHUNK_BYTES 65536

static const uint8_t code[STEP_SIGRETURN_BYTES] = STEP_SIGRETURN_CODE;

void trampolines_deinit(struct trampolines *trampolines)
{
	free(trampolines->items);
	free(trampolines->searched.items);
	*trampolines = (struct trampolines){ 0 };
}

static void note(struct trampolines *trampolines, const struct module *module, taddr_t address)
{
	if (!ARRAY_GROW(trampolines))
		trampolines->items[trampolines->nr++] = (struct trampoline){
			.address = address, .module = module->id,
		};
}

/* By its last byte, which is rare in code: large programs have 20 MB of it. */
static void search_chunk(struct trampolines *trampolines, const struct module *module,
			 taddr_t address, const uint8_t *bytes, size_t nr_bytes)
{
	const size_t before = sizeof(code) - 1;
	const uint8_t *end = bytes + nr_bytes, *last = bytes + before - 1;

	while ((last = memchr(last + 1, code[before], (size_t)(end - last) - 1)))
		if (!memcmp(last - before, code, before))
			note(trampolines, module, address + (taddr_t)(last - before - bytes));
}

/* Chunks overlap by what is too short to be found in either. */
static void search_segment(struct trampolines *trampolines, const struct module *module, int fd,
			   const struct elf_segment *segment)
{
	const size_t overlap = sizeof(code) - 1;
	uint8_t bytes[CHUNK_BYTES];
	uint64_t at = 0;

	while (segment->file_bytes > at + overlap) {
		size_t left = segment->file_bytes - at;
		ssize_t got = pread(fd, bytes, left < sizeof(bytes) ? left : sizeof(bytes),
				    (off_t)(segment->offset + at));

		if (got <= (ssize_t)overlap)
			return;
		search_chunk(trampolines, module, module->bias + segment->vaddr + at, bytes,
			     (size_t)got);
		at += (size_t)got - overlap;
	}
}

static void search(struct trampolines *trampolines, const struct module *module, pid_t tid)
{
	const struct elf_module *elf = module->file ? &module->file->elf : NULL;
	int fd = elf && elf->nr_segments ? module_open_file(module, tid) : -1;

	if (fd < 0)
		return;
	for (size_t i = 0; i < elf->nr_segments; i++)
		if (elf->segments[i].flags & PF_X)
			search_segment(trampolines, module, fd, &elf->segments[i]);
	close(fd);
}

void trampolines_learn(struct trampolines *trampolines, const struct modules *modules, pid_t tid)
{
	for (size_t i = 0; i < modules->nr; i++) {
		if (i == trampolines->searched.nr) {
			if (ARRAY_GROW(&trampolines->searched))
				return;
			trampolines->searched.items[trampolines->searched.nr++] = false;
		}
		if (!modules->items[i]->alive || trampolines->searched.items[i])
			continue;
		trampolines->searched.items[i] = true;
		search(trampolines, modules->items[i], tid);
	}
}
