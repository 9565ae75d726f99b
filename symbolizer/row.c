/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The few shapes that nearly all code has are recognised; for the rest the walker asks another
 * unwinder (RULE_COMPLEX).
 */
#include <dwarf.h>

#include "leb.h"
#include "row.h"

static bool fits(uint64_t value)
{
	return (int64_t)value == (int32_t)value;
}

static bool is_followed(uint64_t number)
{
	return number == RULE_RSP || number == RULE_RBP;
}

/* What ld and lld write for .plt: rsp + 8 + (((rip & 15) >= n) << 3). */
static bool is_plt(const struct row_place *cfa, struct rule *rule)
{
	static const uint8_t shape[] = {
		DW_OP_breg7, 8, DW_OP_breg16, 0, DW_OP_lit15, DW_OP_and, 0, DW_OP_ge, DW_OP_lit3,
		DW_OP_shl, DW_OP_plus,
	};
	const size_t varies = 6;
	const uint8_t *code = cfa->expression;

	if (cfa->bytes != sizeof(shape) || code[varies] < DW_OP_lit0 || code[varies] > DW_OP_lit31)
		return false;
	for (size_t i = 0; i < sizeof(shape); i++)
		if (i != varies && code[i] != shape[i])
			return false;
	*rule = (struct rule){ .kind = RULE_PLT, .cfa_register = RULE_RSP };
	rule->cfa_offset = code[varies] - DW_OP_lit0;
	return true;
}

/* register + offset. */
static bool read_based(struct leb_cursor *code, uint8_t *base, int32_t *offset)
{
	uint64_t atom, value;

	if (!leb_fixed(code, 1, &atom) || !leb_signed(code, &value) || !fits(value) ||
	    !is_followed(atom - DW_OP_breg0))
		return false;
	*base = (uint8_t)(atom - DW_OP_breg0);
	*offset = (int32_t)value;
	return true;
}

/* *(register + offset), perhaps plus a constant. */
static bool is_deref(const struct row_place *cfa, struct rule *rule)
{
	struct leb_cursor code = { cfa->expression, cfa->expression + cfa->bytes };
	uint64_t atom, add = 0;

	if (!read_based(&code, &rule->cfa_register, &rule->cfa_offset) ||
	    !leb_fixed(&code, 1, &atom) || atom != DW_OP_deref)
		return false;
	rule->kind = RULE_CFA_DEREF;
	if (code.at == code.end)
		return true;
	if (!leb_fixed(&code, 1, &atom) || atom != DW_OP_plus_uconst || !leb_unsigned(&code, &add))
		return false;
	rule->deref_add = (int32_t)add;
	return code.at == code.end && add <= INT32_MAX;
}

static bool set_cfa(const struct row_place *cfa, struct rule *rule)
{
	if (cfa->how == ROW_AT_EXPRESSION)
		return is_plt(cfa, rule) || is_deref(cfa, rule);
	if (cfa->how != ROW_REGISTER || !is_followed(cfa->number) || !fits((uint64_t)cfa->offset))
		return false;
	rule->kind = RULE_CFA;
	rule->cfa_register = (uint8_t)cfa->number;
	rule->cfa_offset = (int32_t)cfa->offset;
	return true;
}

/* A function that aligns its stack saves rbp where its own rbp then points. */
static bool is_saved_at_rbp(const struct row_place *rbp, int32_t *offset)
{
	struct leb_cursor code = { rbp->expression, rbp->expression + rbp->bytes };
	uint8_t base;

	return read_based(&code, &base, offset) && base == RULE_RBP && code.at == code.end;
}

static bool set_rbp(const struct row_place *rbp, struct rule *rule)
{
	switch (rbp->how) {
	case ROW_UNSAID:
	case ROW_UNDEFINED:
		return true;
	case ROW_AT_CFA:
		rule->rbp_saved = RULE_SAVED_AT_CFA;
		rule->rbp_offset = (int32_t)rbp->offset;
		return fits((uint64_t)rbp->offset);
	case ROW_AT_EXPRESSION:
		rule->rbp_saved = RULE_SAVED_AT_RBP;
		return is_saved_at_rbp(rbp, &rule->rbp_offset);
	default:
		return false;
	}
}

struct rule row_rule(const struct row *row)
{
	const struct rule complex = { .kind = RULE_COMPLEX }, end = { .kind = RULE_END };
	struct rule rule = { 0 };

	if (row->rip.how == ROW_UNDEFINED)
		return end;
	if (row->rip.how != ROW_AT_CFA || row->rip.offset != -8)
		return complex;
	if (!set_cfa(&row->cfa, &rule) || !set_rbp(&row->rbp, &rule))
		return complex;
	return rule;
}
