/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Steps through the rows of every FDE with libdw, which runs the CFA program anew for each row;
 * that is fast enough (libLLVM: 1.3 million rows in half a second), since programs are short.
 * Equal rules share an entry of the table, equal neighbours a row.
 */
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../tracer/base/array.h"
#include "../tracer/base/hash.h"
#include "cfi.h"
#include "row.h"
#include "rules_build.h"

#define NR_SLOTS 65536			/* twice the largest table */

struct builder {
	Elf *elf;
	uint64_t base_vaddr;
	struct { uint32_t *items; size_t nr, room; } pcs;
	struct { uint16_t *items; size_t nr, room; } indexes;
	struct { struct rule *items; size_t nr, room; } table;
	uint16_t *slots;		/* index into table, plus 1 */
};

static uint64_t hash_rule(const struct rule *rule)
{
	uint64_t words[sizeof(*rule) / sizeof(uint64_t)];

	memcpy(words, rule, sizeof(words));
	return hash_combine(hash_u64(words[0]), words[1]);
}

_Static_assert(sizeof(struct rule) == 2 * sizeof(uint64_t), "hash_rule() covers it all");

/* -ENOSPC: the table is full. */
static int find_rule(struct builder *builder, const struct rule *rule)
{
	size_t at = hash_rule(rule) % NR_SLOTS;

	for (; builder->slots[at]; at = (at + 1) % NR_SLOTS)
		if (!memcmp(&builder->table.items[builder->slots[at] - 1], rule, sizeof(*rule)))
			return builder->slots[at] - 1;
	if (builder->table.nr > RULES_INDEX)
		return -ENOSPC;
	if (ARRAY_GROW(&builder->table))
		return -ENOMEM;
	builder->table.items[builder->table.nr++] = *rule;
	builder->slots[at] = (uint16_t)builder->table.nr;
	return (int)builder->table.nr - 1;
}

/* The first two rules of every table, which thus can always be expressed. */
enum { INDEX_NONE, INDEX_COMPLEX };

static int start_table(struct builder *builder)
{
	const struct rule none = { .kind = RULE_NONE }, complex = { .kind = RULE_COMPLEX };

	builder->slots = calloc(NR_SLOTS, sizeof(*builder->slots));
	if (!builder->slots || find_rule(builder, &none) != INDEX_NONE ||
	    find_rule(builder, &complex) != INDEX_COMPLEX)
		return -ENOMEM;
	return 0;
}

static int add_row(struct builder *builder, uint64_t vaddr, const struct rule *rule, bool first)
{
	int index = find_rule(builder, rule);
	size_t nr = builder->pcs.nr;

	if (index == -ENOSPC)
		index = INDEX_COMPLEX;
	if (index < 0)
		return index;
	if (!first && nr && (int)(builder->indexes.items[nr - 1] & RULES_INDEX) == index)
		return 0;
	if (ARRAY_GROW(&builder->pcs) || ARRAY_GROW(&builder->indexes))
		return -ENOMEM;
	builder->pcs.items[builder->pcs.nr++] = (uint32_t)(vaddr - builder->base_vaddr);
	builder->indexes.items[builder->indexes.nr++] =
		(uint16_t)(index | (first ? RULES_FUNCTION : 0));
	return 0;
}

static bool holds(Elf *elf, const GElf_Phdr *segment, uint64_t start, uint64_t end,
		  const char *code, size_t bytes)
{
	int64_t offset = (int64_t)(segment->p_offset + start - segment->p_vaddr);
	Elf_Data *data = elf_getdata_rawchunk(elf, offset, end - start, ELF_T_BYTE);

	return data && data->d_buf && memmem(data->d_buf, data->d_size, code, bytes);
}

/* Signal frames are those that return by rt_sigreturn: mov $15,%rax; syscall. */
static bool is_sigreturn(Elf *elf, uint64_t start, uint64_t end)
{
	static const char code[] = "\x48\xc7\xc0\x0f\x00\x00\x00\x0f\x05";
	size_t nr_headers;
	GElf_Phdr header;

	if (end - start > 64 || elf_getphdrnum(elf, &nr_headers))
		return false;
	for (size_t i = 0; i < nr_headers && gelf_getphdr(elf, (int)i, &header); i++)
		if (header.p_type == PT_LOAD && start >= header.p_vaddr &&
		    end - header.p_vaddr <= header.p_filesz)
			return holds(elf, &header, start, end, code, sizeof(code) - 1);
	return false;
}

static struct rule frame_rule(struct builder *builder, const struct cfi_function *function,
			      Dwarf_Frame *frame, bool is_signal)
{
	const struct rule signal = { .kind = RULE_SIGNAL }, complex = { .kind = RULE_COMPLEX };

	if (!is_signal)
		return row_rule(frame);
	return is_sigreturn(builder->elf, function->start, function->end) ? signal : complex;
}

/* *end: where the row ends. */
static struct rule rule_at(struct builder *builder, const struct cfi_function *function,
			   uint64_t vaddr, uint64_t *end)
{
	struct rule rule = { .kind = RULE_COMPLEX };
	bool is_signal = false;
	Dwarf_Addr row_start, row_end;
	Dwarf_Frame *frame;

	*end = function->end;
	if (dwarf_cfi_addrframe(function->cfi, vaddr, &frame))
		return rule;
	if (dwarf_frame_info(frame, &row_start, &row_end, &is_signal) >= 0) {
		rule = frame_rule(builder, function, frame, is_signal);
		if (row_end > vaddr && row_end < function->end)
			*end = row_end;
	}
	free(frame);
	return rule;
}

static int add_function(struct builder *builder, const struct cfi_function *function)
{
	uint64_t vaddr = function->start, end;
	struct rule rule;
	int ret = 0;

	for (; !ret && vaddr < function->end; vaddr = end) {
		rule = rule_at(builder, function, vaddr, &end);
		ret = add_row(builder, vaddr, &rule, vaddr == function->start);
	}
	return ret;
}

static int add_functions(struct builder *builder, const struct cfi *cfi)
{
	const struct rule none = { .kind = RULE_NONE };
	int ret = 0;

	builder->base_vaddr = cfi->items[0].start;
	for (size_t i = 0; !ret && i < cfi->nr; i++) {
		const struct cfi_function *function = &cfi->items[i];

		if (function->end - builder->base_vaddr > UINT32_MAX)
			break;
		ret = add_function(builder, function);
		if (!ret && (i + 1 == cfi->nr || function[1].start > function->end))
			ret = add_row(builder, function->end, &none, false);
	}
	return ret;
}

static int write_all(int fd, const void *data, size_t bytes)
{
	for (size_t done = 0; done < bytes;) {
		ssize_t nr = write(fd, (const char *)data + done, bytes - done);

		if (nr < 0 && errno != EINTR)
			return -errno;
		done += nr > 0 ? (size_t)nr : 0;
	}
	return 0;
}

static int write_rules(const struct builder *builder, int fd)
{
	struct rules rules = {
		.magic = RULES_MAGIC,
		.nr_rows = (uint32_t)builder->pcs.nr,
		.nr_rules = (uint32_t)builder->table.nr,
		.base_vaddr = builder->base_vaddr,
	};
	size_t pcs_bytes = builder->pcs.nr * sizeof(uint32_t);
	size_t indexes_bytes = builder->indexes.nr * sizeof(uint16_t);
	size_t padding = rules_table_offset(rules.nr_rows) - sizeof(rules) - pcs_bytes -
			 indexes_bytes;
	int ret;

	ret = write_all(fd, &rules, sizeof(rules));
	if (!ret)
		ret = write_all(fd, builder->pcs.items, pcs_bytes);
	if (!ret)
		ret = write_all(fd, builder->indexes.items, indexes_bytes);
	if (!ret)
		ret = write_all(fd, "\0\0\0", padding);
	if (!ret)
		ret = write_all(fd, builder->table.items, builder->table.nr * sizeof(struct rule));
	return ret;
}

static int make_file(const struct builder *builder)
{
	int fd = memfd_create("memtrace-rules", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int seals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL, ret;

	if (fd < 0)
		return -errno;
	ret = write_rules(builder, fd);
	if (!ret && fcntl(fd, F_ADD_SEALS, seals))
		ret = -errno;
	if (ret) {
		close(fd);
		return ret;
	}
	return fd;
}

int rules_build(Elf *elf)
{
	struct builder builder = { .elf = elf };
	struct cfi cfi;
	int ret = cfi_init(&cfi, elf);

	if (ret)
		return ret;
	ret = cfi.nr ? start_table(&builder) : -ENOENT;
	if (!ret)
		ret = add_functions(&builder, &cfi);
	if (!ret)
		ret = builder.pcs.nr ? make_file(&builder) : -ENOENT;
	free(builder.pcs.items);
	free(builder.indexes.items);
	free(builder.table.items);
	free(builder.slots);
	cfi_deinit(&cfi);
	return ret;
}
