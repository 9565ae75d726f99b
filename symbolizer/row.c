/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libdw gives the CFA and each register as DWARF expressions.  The few shapes that nearly all code
 * has are recognised; for the rest the walker asks another unwinder (RULE_COMPLEX).
 */
#include <dwarf.h>
#include <stdint.h>

#include "row.h"

#define RULE_RIP 16

static bool fits(uint64_t value)
{
	return (int64_t)value == (int32_t)value;
}

/* register + offset, as DW_OP_bregx or DW_OP_breg0..31. */
static bool is_based(const Dwarf_Op *op, uint8_t *base, int32_t *offset)
{
	uint64_t number, value;

	if (op->atom == DW_OP_bregx) {
		number = op->number;
		value = op->number2;
	} else if (op->atom >= DW_OP_breg0 && op->atom <= DW_OP_breg31) {
		number = op->atom - DW_OP_breg0;
		value = op->number;
	} else {
		return false;
	}
	if ((number != RULE_RSP && number != RULE_RBP) || !fits(value))
		return false;
	*base = (uint8_t)number;
	*offset = (int32_t)value;
	return true;
}

/* What ld and lld write for .plt: rsp + 8 + (((rip & 15) >= n) << 3). */
static bool is_plt(const Dwarf_Op *ops, size_t nr, struct rule *rule)
{
	static const uint8_t shape[] = {
		DW_OP_breg7, DW_OP_breg16, DW_OP_lit15, DW_OP_and, 0, DW_OP_ge, DW_OP_lit3,
		DW_OP_shl, DW_OP_plus,
	};

	if (nr != sizeof(shape) || ops[0].number != 8 || ops[1].number != 0 ||
	    ops[4].atom < DW_OP_lit0 || ops[4].atom > DW_OP_lit31)
		return false;
	for (size_t i = 0; i < nr; i++)
		if (i != 4 && ops[i].atom != shape[i])
			return false;
	*rule = (struct rule){ .kind = RULE_PLT, .cfa_register = RULE_RSP };
	rule->cfa_offset = ops[4].atom - DW_OP_lit0;
	return true;
}

/* *(register + offset), perhaps plus a constant. */
static bool is_deref(const Dwarf_Op *ops, size_t nr, struct rule *rule)
{
	if (nr < 2 || nr > 3 || ops[1].atom != DW_OP_deref ||
	    !is_based(&ops[0], &rule->cfa_register, &rule->cfa_offset))
		return false;
	rule->kind = RULE_CFA_DEREF;
	if (nr == 2)
		return true;
	rule->deref_add = (int32_t)ops[2].number;
	return ops[2].atom == DW_OP_plus_uconst && ops[2].number <= INT32_MAX;
}

static bool set_cfa(Dwarf_Frame *frame, struct rule *rule)
{
	Dwarf_Op *ops;
	size_t nr;

	if (dwarf_frame_cfa(frame, &ops, &nr) || !nr)
		return false;
	if (nr == 1 && is_based(&ops[0], &rule->cfa_register, &rule->cfa_offset)) {
		rule->kind = RULE_CFA;
		return true;
	}
	return is_plt(ops, nr, rule) || is_deref(ops, nr, rule);
}

enum saved { SAVED_UNCHANGED, SAVED_AT_CFA, SAVED_UNDEFINED, SAVED_OTHERWISE };

/* A register saved at CFA + offset is DW_OP_call_frame_cfa [DW_OP_plus_uconst offset]. */
static enum saved find_saved(Dwarf_Frame *frame, int number, int32_t *offset)
{
	Dwarf_Op mem[3], *ops;
	size_t nr;

	if (dwarf_frame_register(frame, number, mem, &ops, &nr))
		return SAVED_OTHERWISE;
	if (!nr)
		return ops ? SAVED_UNDEFINED : SAVED_UNCHANGED;
	if (ops[0].atom != DW_OP_call_frame_cfa || nr > 2)
		return SAVED_OTHERWISE;
	*offset = 0;
	if (nr == 2) {
		if (ops[1].atom != DW_OP_plus_uconst || !fits(ops[1].number))
			return SAVED_OTHERWISE;
		*offset = (int32_t)ops[1].number;
	}
	return SAVED_AT_CFA;
}

static bool set_rbp(Dwarf_Frame *frame, struct rule *rule)
{
	int32_t offset;
	enum saved saved = find_saved(frame, RULE_RBP, &offset);

	if (saved == SAVED_AT_CFA) {
		rule->rbp_saved = 1;
		rule->rbp_offset = offset;
	}
	return saved != SAVED_OTHERWISE;
}

struct rule row_rule(Dwarf_Frame *frame)
{
	const struct rule complex = { .kind = RULE_COMPLEX }, end = { .kind = RULE_END };
	struct rule rule = { 0 };
	int32_t offset;
	enum saved rip = find_saved(frame, RULE_RIP, &offset);

	if (rip == SAVED_UNDEFINED)
		return end;
	if (rip != SAVED_AT_CFA || offset != -8)
		return complex;
	if (!set_cfa(frame, &rule) || !set_rbp(frame, &rule))
		return complex;
	return rule;
}
