/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Call frame information read by us and by libdw: of every row of every function of real files,
 * both make the same rule, at its first byte and at its last.
 */
#include <dwarf.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../symbolizer/cfa.h"

struct file {
	int fd;
	Elf *elf;
	Dwarf_CFI *libdw;
	struct cfi cfi;
	uint64_t nr_rows, nr_kinds[RULE_COMPLEX + 1], nr_at_rbp;
};

static bool fits(uint64_t value)
{
	return (int64_t)value == (int32_t)value;
}

/* register + offset, as DW_OP_bregx or DW_OP_breg0..31. */
static bool is_based(const Dwarf_Op *op, uint8_t *base, int32_t *offset)
{
	uint64_t number = op->atom - DW_OP_breg0, value = op->number;

	if (op->atom == DW_OP_bregx) {
		number = op->number;
		value = op->number2;
	}
	*base = (uint8_t)number;
	*offset = (int32_t)value;
	return (number == RULE_RSP || number == RULE_RBP) && fits(value);
}

static bool libdw_is_plt(const Dwarf_Op *ops, size_t nr, struct rule *rule)
{
	static const uint8_t shape[] = {
		DW_OP_breg7, DW_OP_breg16, DW_OP_lit15, DW_OP_and, 0, DW_OP_ge, DW_OP_lit3,
		DW_OP_shl, DW_OP_plus,
	};

	if (nr != sizeof(shape) || ops[0].number != 8 || ops[1].number != 0)
		return false;
	for (size_t i = 0; i < nr; i++)
		if (i != 4 && ops[i].atom != shape[i])
			return false;
	*rule = (struct rule){ .kind = RULE_PLT, .cfa_register = RULE_RSP };
	rule->cfa_offset = ops[4].atom - DW_OP_lit0;
	return true;
}

static bool libdw_cfa(Dwarf_Frame *frame, struct rule *rule)
{
	Dwarf_Op *ops;
	size_t nr;

	if (dwarf_frame_cfa(frame, &ops, &nr) || !nr)
		return false;
	rule->kind = nr == 1 ? RULE_CFA : RULE_CFA_DEREF;
	if (nr == 1)
		return is_based(&ops[0], &rule->cfa_register, &rule->cfa_offset);
	if (libdw_is_plt(ops, nr, rule))
		return true;
	rule->deref_add = nr == 3 ? (int32_t)ops[2].number : 0;
	return ops[1].atom == DW_OP_deref &&
	       is_based(&ops[0], &rule->cfa_register, &rule->cfa_offset) &&
	       (nr == 2 || (nr == 3 && ops[2].atom == DW_OP_plus_uconst));
}

/* rbp is found at the CFA, plus an offset, or at rbp plus one; or it is left alone. */
static bool libdw_rbp(Dwarf_Frame *frame, struct rule *rule)
{
	Dwarf_Op mem[3], *ops;
	uint8_t base;
	size_t nr;

	if (dwarf_frame_register(frame, RULE_RBP, mem, &ops, &nr))
		return false;
	if (!nr)
		return true;
	if (ops[0].atom != DW_OP_call_frame_cfa || nr > 2)
		return false;
	rule->rbp_saved = RULE_SAVED_AT_CFA;
	if (nr == 1)
		return true;
	if (ops[1].atom == DW_OP_plus_uconst) {
		rule->rbp_offset = (int32_t)ops[1].number;
		return fits(ops[1].number);
	}
	rule->rbp_saved = RULE_SAVED_AT_RBP;
	return is_based(&ops[1], &base, &rule->rbp_offset) && base == RULE_RBP;
}

static struct rule libdw_rule(Dwarf_Frame *frame)
{
	const struct rule complex = { .kind = RULE_COMPLEX }, end = { .kind = RULE_END };
	struct rule rule = { 0 };
	Dwarf_Op mem[3], *ops;
	size_t nr;

	if (dwarf_frame_register(frame, RULE_RIP, mem, &ops, &nr))
		return complex;
	if (!nr)
		return ops ? end : complex;
	if (nr != 2 || ops[0].atom != DW_OP_call_frame_cfa || ops[1].atom != DW_OP_plus_uconst ||
	    ops[1].number != (Dwarf_Word)-8)
		return complex;
	return libdw_cfa(frame, &rule) && libdw_rbp(frame, &rule) ? rule : complex;
}

static struct rule libdw_at(const struct file *file, uint64_t vaddr)
{
	struct rule rule = { .kind = RULE_COMPLEX };
	Dwarf_Frame *frame;

	if (dwarf_cfi_addrframe(file->libdw, vaddr, &frame))
		return rule;
	rule = libdw_rule(frame);
	free(frame);
	return rule;
}

/* The row that is compared when its end is known. */
struct taker {
	struct file *file;
	struct rule rule;
	uint64_t vaddr;
	bool is_begun;
};

static void assert_rule(const struct taker *taker, uint64_t vaddr)
{
	struct rule wanted = libdw_at(taker->file, vaddr);

	if (memcmp(&wanted, &taker->rule, sizeof(wanted)))
		print_message("at %#lx, row from %#lx: kind %d, not %d\n", (unsigned long)vaddr,
			      (unsigned long)taker->vaddr, taker->rule.kind, wanted.kind);
	assert_memory_equal(&wanted, &taker->rule, sizeof(wanted));
}

static void end_row(struct taker *taker, uint64_t end)
{
	struct file *file = taker->file;

	if (!taker->is_begun)
		return;
	assert_true(end > taker->vaddr);
	assert_rule(taker, taker->vaddr);
	assert_rule(taker, end - 1);
	file->nr_rows++;
	file->nr_kinds[taker->rule.kind]++;
	file->nr_at_rbp += taker->rule.rbp_saved == RULE_SAVED_AT_RBP;
}

static int take(void *from, uint64_t vaddr, const struct row *row)
{
	const struct rule complex = { .kind = RULE_COMPLEX };
	struct taker *taker = from;

	end_row(taker, vaddr);
	taker->vaddr = vaddr;
	taker->rule = row ? row_rule(row) : complex;
	taker->is_begun = true;
	return 0;
}

static void compare_function(struct file *file, const struct cfi_function *function)
{
	struct taker taker = { .file = file };

	assert_int_equal(cfa_run(&file->cfi.cies.items[function->cie], function, take, &taker), 0);
	assert_true(taker.is_begun);
	end_row(&taker, function->end);
}

static bool open_file(struct file *file, const char *path)
{
	*file = (struct file){ .fd = open(path, O_RDONLY | O_CLOEXEC) };
	if (file->fd < 0)
		return false;
	file->elf = elf_begin(file->fd, ELF_C_READ_MMAP, NULL);
	assert_non_null(file->elf);
	file->libdw = dwarf_getcfi_elf(file->elf);
	assert_non_null(file->libdw);
	assert_int_equal(cfi_init(&file->cfi, file->elf), 0);
	return true;
}

static void close_file(struct file *file)
{
	cfi_deinit(&file->cfi);
	dwarf_cfi_end(file->libdw);
	elf_end(file->elf);
	close(file->fd);
}

static void compare_file(const char *path, uint64_t least)
{
	struct file file;

	if (!open_file(&file, path)) {
		print_message("%s: not there\n", path);
		return;
	}
	for (size_t i = 0; i < file.cfi.nr; i++)
		if (file.cfi.items[i].is_eh_frame)
			compare_function(&file, &file.cfi.items[i]);
	print_message("%s: %lu rows, %lu of them complex, %lu with rbp saved at rbp\n", path,
		      (unsigned long)file.nr_rows, (unsigned long)file.nr_kinds[RULE_COMPLEX],
		      (unsigned long)file.nr_at_rbp);
	assert_true(file.nr_rows >= least);
	assert_true(file.nr_kinds[RULE_COMPLEX] * 20 < file.nr_rows);
	close_file(&file);
}

static void rows_of_libraries(void **state)
{
	compare_file("/lib/x86_64-linux-gnu/libc.so.6", 20000);
	compare_file("/lib64/ld-linux-x86-64.so.2", 1000);
	compare_file("/lib/x86_64-linux-gnu/libm.so.6", 1000);
	compare_file("/usr/lib/x86_64-linux-gnu/libstdc++.so.6", 10000);
}

static void rows_of_programs(void **state)
{
	compare_file("/proc/self/exe", 100);
	compare_file("/usr/bin/python3", 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_of_libraries),
		cmocka_unit_test(rows_of_programs),
	};

	elf_version(EV_CURRENT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
