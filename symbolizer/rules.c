/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rows of every FDE as rules.  Equal rules share an entry of the table, equal neighbours a row.
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
#include "cfa.h"
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
	if (builder->table.nr == RULES_INDEX)
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

/* A function whose rows are handed out. */
struct giver {
	struct builder *builder;
	const struct cfi_function *function;
	bool is_signal;
};

static struct rule rule_of(const struct giver *giver, const struct row *row)
{
	const struct rule signal = { .kind = RULE_SIGNAL }, complex = { .kind = RULE_COMPLEX };
	const struct cfi_function *function = giver->function;

	if (!row)
		return complex;
	if (!giver->is_signal)
		return row_rule(row);
	return is_sigreturn(giver->builder->elf, function->start, function->end) ? signal : complex;
}

static int take_row(void *taker, uint64_t vaddr, const struct row *row)
{
	const struct giver *giver = taker;
	const struct rule rule = rule_of(giver, row);

	return add_row(giver->builder, vaddr, &rule, vaddr == giver->function->start);
}

static int add_function(struct builder *builder, const struct cfi *cfi,
			const struct cfi_function *function)
{
	const struct cfi_cie *cie = &cfi->cies.items[function->cie];
	struct giver giver = {
		.builder = builder, .function = function, .is_signal = cie->is_signal,
	};

	return cfa_run(cie, function, take_row, &giver);
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
		ret = add_function(builder, cfi, function);
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

static int32_t eh_frame_hdr(const struct builder *builder)
{
	size_t nr_headers;
	GElf_Phdr header;

	if (elf_getphdrnum(builder->elf, &nr_headers))
		return 0;
	for (size_t i = 0; i < nr_headers && gelf_getphdr(builder->elf, (int)i, &header); i++) {
		int64_t distance = (int64_t)(header.p_vaddr - builder->base_vaddr);

		if (header.p_type == PT_GNU_EH_FRAME)
			return distance == (int32_t)distance ? (int32_t)distance : 0;
	}
	return 0;
}

static int write_rules(const struct builder *builder, int fd)
{
	struct rules rules = {
		.magic = RULES_MAGIC,
		.nr_rows = (uint32_t)builder->pcs.nr,
		.nr_rules = (uint32_t)builder->table.nr,
		.eh_frame_hdr = eh_frame_hdr(builder),
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
