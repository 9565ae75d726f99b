/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Classifies and relocates one displaced instruction.  Decoding is Zydis's; what is ours is
 * the choice: whatever reads or writes rip other than through a rip-relative memory operand
 * is either one of the forms emulated here or refused.
 */
#include "displaced.h"

#include <Zydis/Zydis.h>
#include <errno.h>
#include <string.h>

static bool decode(const uint8_t *bytes, size_t nr_bytes, ZydisDecodedInstruction *insn,
		   ZydisDecodedOperand *operands)
{
	ZydisDecoder decoder;

	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	return ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, bytes, nr_bytes, insn, operands));
}

static bool is_immediate_target(const ZydisDecodedInstruction *insn,
				const ZydisDecodedOperand *operands)
{
	return insn->operand_count_visible == 1 &&
	       operands[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
	       operands[0].imm.is_relative;
}

static bool is_transfer(const ZydisDecodedInstruction *insn)
{
	switch (insn->meta.category) {
	case ZYDIS_CATEGORY_RET:
	case ZYDIS_CATEGORY_CALL:
	case ZYDIS_CATEGORY_UNCOND_BR:
	case ZYDIS_CATEGORY_COND_BR:
		return true;
	default:
		return false;
	}
}

/* syscall leaves rip in rcx, xbegin has a target, interrupts end up who knows where. */
static bool depends_on_place(const ZydisDecodedInstruction *insn)
{
	switch (insn->meta.category) {
	case ZYDIS_CATEGORY_SYSCALL:
	case ZYDIS_CATEGORY_SYSRET:
	case ZYDIS_CATEGORY_SYSTEM:
	case ZYDIS_CATEGORY_INTERRUPT:
		return true;
	default:
		return insn->mnemonic == ZYDIS_MNEMONIC_XBEGIN;
	}
}

static int classify_copy(const ZydisDecodedInstruction *insn,
			 const ZydisDecodedOperand *operands, enum displaced_kind kind,
			 struct displaced *out)
{
	if (depends_on_place(insn))
		return -ENOTSUP;
	for (unsigned i = 0; i < insn->operand_count; i++) {
		if (operands[i].type != ZYDIS_OPERAND_TYPE_MEMORY ||
		    (operands[i].mem.base != ZYDIS_REGISTER_RIP &&
		     operands[i].mem.base != ZYDIS_REGISTER_EIP))
			continue;
		if (insn->raw.disp.size != 32 || operands[i].mem.base == ZYDIS_REGISTER_EIP)
			return -ENOTSUP;
		out->rip_displacement = insn->raw.disp.offset;
	}
	out->kind = kind;
	return 0;
}

static bool is_indirect_jump(const ZydisDecodedInstruction *insn)
{
	return insn->mnemonic == ZYDIS_MNEMONIC_JMP && !insn->raw.imm[0].is_relative &&
	       insn->meta.branch_type == ZYDIS_BRANCH_TYPE_NEAR;
}

static int classify_transfer(const ZydisDecodedInstruction *insn,
			     const ZydisDecodedOperand *operands, struct displaced *out)
{
	ZyanU64 target = 0;

	if (insn->meta.category == ZYDIS_CATEGORY_RET) {
		out->kind = DISPLACED_RETURN;
		return insn->mnemonic == ZYDIS_MNEMONIC_RET && !insn->operand_count_visible &&
			       insn->meta.branch_type == ZYDIS_BRANCH_TYPE_NEAR
			? 0 : -ENOTSUP;
	}
	if (is_indirect_jump(insn))
		return classify_copy(insn, operands, DISPLACED_LEAVE, out);
	if (!is_immediate_target(insn, operands) ||
	    !ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(insn, &operands[0], out->address, &target)))
		return -ENOTSUP;
	out->target = target;
	if (insn->meta.category == ZYDIS_CATEGORY_CALL)
		out->kind = DISPLACED_CALL;
	else if (insn->meta.category == ZYDIS_CATEGORY_UNCOND_BR)
		out->kind = DISPLACED_JUMP;
	else if ((insn->opcode & 0xf0) == (insn->opcode_map == ZYDIS_OPCODE_MAP_0F ? 0x80 : 0x70))
		out->kind = DISPLACED_BRANCH; /* not loop, not jrcxz */
	else
		return -ENOTSUP;
	out->condition = insn->opcode & 0xf;
	return 0;
}

int displaced_decode(const uint8_t *bytes, size_t nr_bytes, taddr_t address,
		     struct displaced *out)
{
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction insn;
	struct displaced displaced = { .address = address };
	int error = 0;

	if (!decode(bytes, nr_bytes, &insn, operands))
		return -EINVAL;
	displaced.length = insn.length;
	memcpy(displaced.bytes, bytes, insn.length);
	if (insn.meta.category == ZYDIS_CATEGORY_NOP || insn.meta.category == ZYDIS_CATEGORY_WIDENOP ||
	    insn.mnemonic == ZYDIS_MNEMONIC_ENDBR64)
		displaced.kind = DISPLACED_SKIP;
	else if (is_transfer(&insn))
		error = classify_transfer(&insn, operands, &displaced);
	else
		error = classify_copy(&insn, operands, DISPLACED_COPY, &displaced);
	if (!error)
		*out = displaced;
	return error;
}

static bool fits_in_32_bits(int64_t distance)
{
	return distance == (int32_t)distance;
}

/* jmp rel32 where it reaches, else jmp *0(%rip) with the address behind it. */
static size_t write_jump(uint8_t *code, taddr_t from, taddr_t to)
{
	int64_t distance = (int64_t)(to - (from + 5));
	int32_t displacement = (int32_t)distance;

	if (fits_in_32_bits(distance)) {
		code[0] = 0xe9;
		memcpy(code + 1, &displacement, 4);
		return 5;
	}
	memcpy(code, "\xff\x25\0\0\0\0", 6);
	memcpy(code + 6, &to, 8);
	return 14;
}

ssize_t displaced_copy(const struct displaced *displaced, taddr_t slot, uint8_t *code)
{
	memcpy(code, displaced->bytes, displaced->length);
	if (displaced->rip_displacement) {
		int32_t displacement;
		int64_t moved;

		memcpy(&displacement, code + displaced->rip_displacement, 4);
		moved = displacement + (int64_t)(displaced->address - slot);
		if (!fits_in_32_bits(moved))
			return -ERANGE;
		displacement = (int32_t)moved;
		memcpy(code + displaced->rip_displacement, &displacement, 4);
	}
	return displaced->length + write_jump(code + displaced->length, slot + displaced->length,
					      displaced->address + displaced->length);
}

/* Intel SDM volume 1, appendix B: condition codes, in pairs that negate each other. */
bool displaced_taken(const struct displaced *displaced, uint64_t flags)
{
	bool carry = flags & 1 << 0, parity = flags & 1 << 2, zero = flags & 1 << 6,
	     sign = flags & 1 << 7, overflow = flags & 1 << 11;
	bool met[8] = {
		overflow, carry, zero, carry || zero, sign, parity, sign != overflow,
		zero || sign != overflow,
	};

	return met[displaced->condition >> 1] != (displaced->condition & 1);
}
