/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Room for displaced instructions in code that is already mapped: the bytes between the end
 * of an executable segment and the end of its last page.  The file has zeros there (checked),
 * nobody runs or reads them, and nothing has to be mapped into the target.  Where that is
 * little, the padding between functions is used too (padding.h).
 *
 *     | .text ... .fini | slot | slot | ...            | next page
 *                       ^ vaddr + file_bytes           ^ page boundary
 *
 * One thread.
 */
#ifndef MEMTRACE_PROBE_SLOTS_H
#define MEMTRACE_PROBE_SLOTS_H

#include "../arch/arch.h"
#include "../target/memory.h"
#include "../target/modules.h"

struct slot_region {
	taddr_t start, next, end;
	uint32_t module;
	bool lasting;		/* its module is never closed: others may use it too */
	taddr_t ret;		/* a ret instruction of ours; 0: none yet */
};

struct slots {
	struct slot_region *items;
	size_t nr, room;
};

/* Adds what the module has; it may be nothing. */
int slots_add_module(struct slots *slots, const struct memory *memory,
		     const struct module *module);
void slots_remove_module(struct slots *slots, uint32_t module);
void slots_deinit(struct slots *slots);

/* Writes the code that stands for a displaced COPY into a free place that reaches what the
 * instruction refers to: the module's own, or that of one that is never closed.  -ENOSPC:
 * there is none. */
int slots_place(struct slots *slots, struct memory *memory, uint32_t module,
		const struct displaced *displaced, taddr_t *out);

/* A ret instruction of ours, likewise. */
int slots_place_ret(struct slots *slots, struct memory *memory, uint32_t module, taddr_t *out);

bool slots_contain(const struct slots *slots, taddr_t pc);

#endif
