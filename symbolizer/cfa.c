/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cfa.h"

#include <dwarf.h>

#include "leb.h"

#define REMEMBERED 32			/* rows; compilers nest one or two */

struct machine {
	const struct cfi_cie *cie;
	struct leb_cursor code;
	struct row row;
	struct row remembered[REMEMBERED];
	unsigned nr_remembered;
	uint64_t advance;		/* bytes of code that the row holds for; 0: not ended yet */
};

enum form { NONE, UNSIGNED, SIGNED, BLOCK, BYTES_1, BYTES_2, BYTES_4, BYTES_8 };

/* Operands by instruction; those with the upper two bits set have theirs in the lower six. */
static const uint8_t forms[64][2] = {
	[DW_CFA_advance_loc1] = { BYTES_1 },
	[DW_CFA_advance_loc2] = { BYTES_2 },
	[DW_CFA_advance_loc4] = { BYTES_4 },
	[DW_CFA_MIPS_advance_loc8] = { BYTES_8 },
	[DW_CFA_offset_extended] = { UNSIGNED, UNSIGNED },
	[DW_CFA_restore_extended] = { UNSIGNED },
	[DW_CFA_undefined] = { UNSIGNED },
	[DW_CFA_same_value] = { UNSIGNED },
	[DW_CFA_register] = { UNSIGNED, UNSIGNED },
	[DW_CFA_def_cfa] = { UNSIGNED, UNSIGNED },
	[DW_CFA_def_cfa_register] = { UNSIGNED },
	[DW_CFA_def_cfa_offset] = { UNSIGNED },
	[DW_CFA_def_cfa_expression] = { BLOCK },
	[DW_CFA_expression] = { UNSIGNED, BLOCK },
	[DW_CFA_offset_extended_sf] = { UNSIGNED, SIGNED },
	[DW_CFA_def_cfa_sf] = { UNSIGNED, SIGNED },
	[DW_CFA_def_cfa_offset_sf] = { SIGNED },
	[DW_CFA_val_offset] = { UNSIGNED, UNSIGNED },
	[DW_CFA_val_offset_sf] = { UNSIGNED, SIGNED },
	[DW_CFA_val_expression] = { UNSIGNED, BLOCK },
	[DW_CFA_GNU_args_size] = { UNSIGNED },
	[DW_CFA_GNU_negative_offset_extended] = { UNSIGNED, UNSIGNED },
};

struct instruction {
	unsigned opcode;
	uint64_t operands[2];
	const uint8_t *block;		/* of as many bytes as the last operand says */
};

static bool read_operand(struct leb_cursor *code, uint8_t form, uint64_t *value,
			 const uint8_t **block)
{
	switch (form) {
	case NONE: return true;
	case UNSIGNED: return leb_unsigned(code, value);
	case SIGNED: return leb_signed(code, value);
	case BYTES_1: return leb_fixed(code, 1, value);
	case BYTES_2: return leb_fixed(code, 2, value);
	case BYTES_4: return leb_fixed(code, 4, value);
	case BYTES_8: return leb_fixed(code, 8, value);
	default: break;
	}
	if (!leb_unsigned(code, value) || *value > (uint64_t)(code->end - code->at))
		return false;
	*block = code->at;
	code->at += *value;
	return true;
}

static bool read_instruction(struct leb_cursor *code, struct instruction *out)
{
	uint8_t byte = *code->at++;
	unsigned high = byte & 0xc0;

	out->opcode = high ? high : byte;
	out->operands[0] = byte & 0x3f;
	if (high == DW_CFA_offset)
		return leb_unsigned(code, &out->operands[1]);
	if (high)
		return true;
	return read_operand(code, forms[byte][0], &out->operands[0], &out->block) &&
	       read_operand(code, forms[byte][1], &out->operands[1], &out->block);
}

/* One of a register that is not followed goes nowhere. */
static void set_place(struct row *row, uint64_t number, struct row_place place)
{
	if (number == RULE_RIP)
		row->rip = place;
	else if (number == RULE_RBP)
		row->rbp = place;
}

static void set_how(struct row *row, uint64_t number, enum row_how how)
{
	set_place(row, number, (struct row_place){ .how = how });
}

static void set_saved(struct machine *machine, uint64_t number, uint64_t factored)
{
	uint64_t offset = factored * (uint64_t)machine->cie->data_alignment;

	set_place(&machine->row, number,
		  (struct row_place){ .how = ROW_AT_CFA, .offset = (int64_t)offset });
}

static struct row_place expression(const struct instruction *in, uint64_t bytes)
{
	return (struct row_place){
		.how = ROW_AT_EXPRESSION, .expression = in->block, .bytes = bytes,
	};
}

static bool set_cfa_register(struct row_place *cfa, uint64_t number)
{
	cfa->number = number;
	return cfa->how == ROW_REGISTER;
}

static bool set_cfa_offset(struct row_place *cfa, uint64_t offset)
{
	cfa->offset = (int64_t)offset;
	return cfa->how == ROW_REGISTER;
}

static bool set_cfa(struct row_place *cfa, uint64_t number, uint64_t offset)
{
	*cfa = (struct row_place){ .how = ROW_REGISTER };
	return set_cfa_register(cfa, number) && set_cfa_offset(cfa, offset);
}

static void restore(struct machine *machine, uint64_t number)
{
	const struct row *initial = &machine->cie->initial;

	set_place(&machine->row, number, number == RULE_RIP ? initial->rip : initial->rbp);
}

static bool remember(struct machine *machine)
{
	if (machine->nr_remembered == REMEMBERED)
		return false;
	machine->remembered[machine->nr_remembered++] = machine->row;
	return true;
}

static bool recall(struct machine *machine)
{
	if (!machine->nr_remembered)
		return false;
	machine->row = machine->remembered[--machine->nr_remembered];
	return true;
}

/* What says how the CFA is found. */
static bool execute_cfa(struct machine *machine, const struct instruction *in)
{
	struct row_place *cfa = &machine->row.cfa;
	uint64_t scale = (uint64_t)machine->cie->data_alignment;
	const uint64_t *operands = in->operands;

	switch (in->opcode) {
	case DW_CFA_def_cfa: return set_cfa(cfa, operands[0], operands[1]);
	case DW_CFA_def_cfa_sf: return set_cfa(cfa, operands[0], operands[1] * scale);
	case DW_CFA_def_cfa_register: return set_cfa_register(cfa, operands[0]);
	case DW_CFA_def_cfa_offset: return set_cfa_offset(cfa, operands[0]);
	case DW_CFA_def_cfa_offset_sf: return set_cfa_offset(cfa, operands[0] * scale);
	case DW_CFA_def_cfa_expression:
		*cfa = expression(in, operands[0]);
		return true;
	default: return false;
	}
}

/* What says where a register is. */
static bool execute_register(struct machine *machine, const struct instruction *in)
{
	struct row *row = &machine->row;
	uint64_t number = in->operands[0];

	switch (in->opcode) {
	case DW_CFA_offset:
	case DW_CFA_offset_extended:
	case DW_CFA_offset_extended_sf: set_saved(machine, number, in->operands[1]); return true;
	case DW_CFA_GNU_negative_offset_extended:
		set_saved(machine, number, -in->operands[1]);
		return true;
	case DW_CFA_restore:
	case DW_CFA_restore_extended: restore(machine, number); return true;
	case DW_CFA_undefined: set_how(row, number, ROW_UNDEFINED); return true;
	case DW_CFA_same_value: set_how(row, number, ROW_UNSAID); return true;
	case DW_CFA_expression:
		set_place(row, number, expression(in, in->operands[1]));
		return true;
	case DW_CFA_register:
	case DW_CFA_val_offset:
	case DW_CFA_val_offset_sf:
	case DW_CFA_val_expression: set_how(row, number, ROW_OTHERWISE); return true;
	default: return execute_cfa(machine, in);
	}
}

/* False: not known. */
static bool execute(struct machine *machine)
{
	struct instruction in = { 0 };

	if (!read_instruction(&machine->code, &in))
		return false;
	switch (in.opcode) {
	case DW_CFA_nop:
	case DW_CFA_GNU_args_size: return true;
	case DW_CFA_advance_loc:
	case DW_CFA_advance_loc1:
	case DW_CFA_advance_loc2:
	case DW_CFA_advance_loc4:
	case DW_CFA_MIPS_advance_loc8:
		machine->advance = in.operands[0] * machine->cie->code_alignment;
		return true;
	case DW_CFA_remember_state: return remember(machine);
	case DW_CFA_restore_state: return recall(machine);
	default: return execute_register(machine, &in);
	}
}

/* Up to the end of the row that it is at, or of the program.  False: not known. */
static bool run_row(struct machine *machine)
{
	machine->advance = 0;
	while (!machine->advance && machine->code.at < machine->code.end)
		if (!execute(machine))
			return false;
	return true;
}

int cfa_run(const struct cfi_cie *cie, const struct cfi_function *function, cfa_take *take,
	    void *taker)
{
	struct machine machine;
	uint64_t vaddr = function->start;
	int ret = 0;

	machine.cie = cie;
	machine.code = (struct leb_cursor){ function->program, function->program_end };
	machine.row = cie->initial;
	machine.nr_remembered = 0;
	while (!ret && vaddr < function->end) {
		bool is_known = run_row(&machine);
		uint64_t rest = function->end - vaddr;

		ret = take(taker, vaddr, is_known ? &machine.row : NULL);
		if (!is_known)
			break;
		vaddr += machine.advance && machine.advance < rest ? machine.advance : rest;
	}
	return ret;
}

struct row cfa_initial(const struct cfi_cie *cie)
{
	struct machine machine = {
		.cie = cie, .code = { cie->program, cie->program_end },
	};

	if (!run_row(&machine) || machine.advance)
		machine.row.rip.how = ROW_OTHERWISE;
	return machine.row;
}
