/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libunwind's generic part with accessors of our own.  What it finds an FDE by is the sorted table
 * that ld, lld and gold write behind .eh_frame_hdr (Linux Standard Base 5.0, 10.6.2), in memory.
 */
#include "remote.h"

#include <errno.h>
#include <libunwind.h>
#include <stdlib.h>

#define READS_MAX 1000000		/* words; a deep stack of large functions takes some 10,000 */

struct remote {
	unw_addr_space_t space;
	const struct unwind_map *map;
	uint64_t generation;
	/* Of the walk under way. */
	const struct memread *memory;
	const arch_regs *regs;
	uint32_t nr_reads;
};

/* What finds the FDE by the table; libunwind exports it and has no header for it. */
int UNW_OBJ(dwarf_search_unwind_table)(unw_addr_space_t space, unw_word_t pc,
				       unw_dyn_info_t *table, unw_proc_info_t *out, int need_info,
				       void *arg);

static int access_memory(unw_addr_space_t space, unw_word_t address, unw_word_t *value, int write,
			 void *arg)
{
	struct remote *remote = arg;

	if (write || remote->nr_reads == READS_MAX ||
	    !memread_exact(remote->memory, address, value, sizeof(*value)))
		return -UNW_EINVAL;
	remote->nr_reads++;
	return 0;
}

static int access_register(unw_addr_space_t space, unw_regnum_t number, unw_word_t *value,
			   int write, void *arg)
{
	const arch_regs *regs = ((const struct remote *)arg)->regs;

	if (write)
		return -UNW_EREADONLYREG;
	switch (number) {
	case UNW_X86_64_RAX: *value = regs->rax; return 0;
	case UNW_X86_64_RDX: *value = regs->rdx; return 0;
	case UNW_X86_64_RCX: *value = regs->rcx; return 0;
	case UNW_X86_64_RBX: *value = regs->rbx; return 0;
	case UNW_X86_64_RSI: *value = regs->rsi; return 0;
	case UNW_X86_64_RDI: *value = regs->rdi; return 0;
	case UNW_X86_64_RBP: *value = regs->rbp; return 0;
	case UNW_X86_64_RSP: *value = regs->rsp; return 0;
	case UNW_X86_64_R8: *value = regs->r8; return 0;
	case UNW_X86_64_R9: *value = regs->r9; return 0;
	case UNW_X86_64_R10: *value = regs->r10; return 0;
	case UNW_X86_64_R11: *value = regs->r11; return 0;
	case UNW_X86_64_R12: *value = regs->r12; return 0;
	case UNW_X86_64_R13: *value = regs->r13; return 0;
	case UNW_X86_64_R14: *value = regs->r14; return 0;
	case UNW_X86_64_R15: *value = regs->r15; return 0;
	case UNW_X86_64_RIP: *value = regs->rip; return 0;
	default: return -UNW_EBADREG;
	}
}

static int no_fpregister(unw_addr_space_t space, unw_regnum_t number, unw_fpreg_t *value, int write,
			 void *arg)
{
	return -UNW_EBADREG;
}

static int no_dynamic_info(unw_addr_space_t space, unw_word_t *address, void *arg)
{
	return -UNW_ENOINFO;
}

struct eh_frame_hdr {
	uint8_t version, pointer_encoding, count_encoding, table_encoding;
	int32_t pointer;
	uint32_t count;
};

/* The only form that there is: offsets of 4 bytes, those of the table from the header. */
static bool is_readable(const struct eh_frame_hdr *header)
{
	return header->version == 1 && header->pointer_encoding == 0x1b &&
	       header->count_encoding == 0x03 && header->table_encoding == 0x3b;
}

static int find_proc_info(unw_addr_space_t space, unw_word_t pc, unw_proc_info_t *out,
			  int need_info, void *arg)
{
	const struct remote *remote = arg;
	const struct unwind_range *range = unwind_map_find(remote->map, pc);
	unw_dyn_info_t table = { .format = UNW_INFO_FORMAT_REMOTE_TABLE };
	struct eh_frame_hdr header;
	taddr_t at;

	if (!range || !range->rules || !range->rules->eh_frame_hdr)
		return -UNW_ENOINFO;
	at = range->bias + range->rules->base_vaddr + (taddr_t)(int64_t)range->rules->eh_frame_hdr;
	if (!memread_exact(remote->memory, at, &header, sizeof(header)) || !is_readable(&header))
		return -UNW_ENOINFO;
	table.start_ip = range->start;
	table.end_ip = range->end;
	table.u.rti.segbase = at;
	table.u.rti.table_data = at + sizeof(header);
	table.u.rti.table_len = header.count;	/* in words: two offsets each */
	return UNW_OBJ(dwarf_search_unwind_table)(space, pc, &table, out, need_info, arg);
}

/* It is libunwind's own. */
static void put_unwind_info(unw_addr_space_t space, unw_proc_info_t *info, void *arg)
{
}

static unw_accessors_t accessors = {
	.find_proc_info = find_proc_info,
	.put_unwind_info = put_unwind_info,
	.get_dyn_info_list_addr = no_dynamic_info,
	.access_mem = access_memory,
	.access_reg = access_register,
	.access_fpreg = no_fpregister,
};

int remote_create(const struct unwind_map *map, struct remote **out)
{
	struct remote *remote = calloc(1, sizeof(*remote));

	if (!remote)
		return -ENOMEM;
	remote->map = map;
	remote->space = unw_create_addr_space(&accessors, 0);
	if (!remote->space) {
		free(remote);
		return -ENOMEM;
	}
	unw_set_caching_policy(remote->space, UNW_CACHE_GLOBAL);
	*out = remote;
	return 0;
}

void remote_destroy(struct remote *remote)
{
	if (!remote)
		return;
	unw_destroy_addr_space(remote->space);
	free(remote);
}

/* The same frame as the rules would give, see walk.c. */
static void note_frame(struct remote *remote, unw_word_t pc, unw_word_t sp, bool interrupted,
		       struct walk *out)
{
	bool exact = interrupted || walk_is_sigreturn(remote->memory, pc);
	const struct unwind_range *range = unwind_map_find(remote->map, interrupted ? pc : pc - 1);

	if (interrupted && out->first_signal > out->nr)
		out->first_signal = out->nr;
	out->slots[out->nr] = interrupted ? sp : sp - 8;
	out->frames[out->nr++] = code_make(range ? range->module : 0, exact ? pc + 1 : pc);
}

static void collect(struct remote *remote, unw_cursor_t *cursor, uint32_t depth, struct walk *out)
{
	bool interrupted = false;
	unw_word_t pc, sp;
	int stepped;

	while ((stepped = unw_step(cursor)) > 0) {
		if (unw_get_reg(cursor, UNW_REG_IP, &pc) || unw_get_reg(cursor, UNW_REG_SP, &sp) ||
		    !pc)
			break;
		if (out->nr == depth) {
			out->end = WALK_DEPTH;
			return;
		}
		note_frame(remote, pc, sp, interrupted, out);
		interrupted = walk_is_sigreturn(remote->memory, pc);
	}
	out->end = stepped < 0 ? WALK_LOST : WALK_OUTERMOST;
}

/* Begins in the caller: allocators without unwind data (musl's) would end the walk at once. */
static void walk_from_caller(struct remote *remote, const arch_regs *regs, uint32_t depth,
			     struct walk *out)
{
	arch_regs caller = *regs;
	unw_cursor_t cursor;

	if (!memread_exact(remote->memory, regs->rsp, &caller.rip, sizeof(caller.rip)))
		return;
	caller.rsp += sizeof(caller.rip);
	note_frame(remote, caller.rip, caller.rsp, false, out);
	remote->regs = &caller;
	remote->nr_reads = 0;
	if (!unw_init_remote(&cursor, remote->space, remote))
		collect(remote, &cursor, depth, out);
}

void remote_walk(struct remote *remote, const struct memread *memory, const arch_regs *regs,
		 uint32_t depth, struct walk *out)
{
	if (remote->generation != remote->map->generation) {
		unw_flush_cache(remote->space, 0, 0);
		remote->generation = remote->map->generation;
	}
	remote->memory = memory;
	out->nr = 0;
	out->complex = false;
	out->first_signal = UINT32_MAX;
	out->end = WALK_LOST;
	walk_from_caller(remote, regs, depth, out);
	if (out->first_signal > out->nr)
		out->first_signal = out->nr;
}
