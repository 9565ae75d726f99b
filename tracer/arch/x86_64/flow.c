/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Follows a function's direct branches with a work list.  The bytes are fetched once; a map
 * with one flag per byte says where decoding has been.
 */
#include "flow.h"

#include <Zydis/Zydis.h>
#include <stdlib.h>

#include "../../base/array.h"

#define FLOW_BYTES_MAX (256 * 1024)

struct exploration {
	taddr_t start, entry;
	size_t bytes;
	uint8_t *code;
	bool *seen;
	struct flow_addresses work;
	struct flow *flow;
	ZydisDecoder decoder;
};

bool flow_has(const struct flow_addresses *addresses, taddr_t address)
{
	for (size_t i = 0; i < addresses->nr; i++)
		if (addresses->items[i] == address)
			return true;
	return false;
}

int flow_add(struct flow_addresses *addresses, taddr_t address)
{
	if (flow_has(addresses, address))
		return 0;
	if (ARRAY_GROW(addresses))
		return -ENOMEM;
	addresses->items[addresses->nr++] = address;
	return 0;
}

static bool inside(const struct exploration *e, taddr_t address)
{
	return address >= e->start && address - e->start < e->bytes;
}

static int jump_to(struct exploration *e, taddr_t target)
{
	if (!inside(e, target))
		return flow_add(&e->flow->tails, target);
	if (target >= e->entry && target < e->flow->first_target)
		e->flow->first_target = target;
	return e->seen[target - e->start] ? 0 : flow_add(&e->work, target);
}

/* The target of a direct transfer; false for an indirect one. */
static bool direct_target(const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *operands,
			  taddr_t address, taddr_t *target)
{
	ZyanU64 absolute;

	if (!insn->operand_count || operands[0].type != ZYDIS_OPERAND_TYPE_IMMEDIATE || !operands[0].imm.is_relative ||
	    !ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(insn, &operands[0], address, &absolute)))
		return false;
	*target = absolute;
	return true;
}

/* Notes what one instruction does; *falls_through says whether the next one may run. */
static int note(struct exploration *e, taddr_t address, const ZydisDecodedInstruction *insn,
		const ZydisDecodedOperand *operands, bool *falls_through)
{
	taddr_t target = 0;
	bool direct = direct_target(insn, operands, address, &target);

	*falls_through = true;
	switch (insn->meta.category) {
	case ZYDIS_CATEGORY_RET:
		*falls_through = false;
		return flow_add(&e->flow->returns, address);
	case ZYDIS_CATEGORY_CALL:
		e->flow->indirect_call |= !direct;
		return direct ? flow_add(&e->flow->calls, target) : 0;
	case ZYDIS_CATEGORY_UNCOND_BR:
		*falls_through = false;
		e->flow->indirect_jump |= !direct;
		return direct ? jump_to(e, target) : 0;
	case ZYDIS_CATEGORY_COND_BR:
		return direct ? jump_to(e, target) : 0;
	case ZYDIS_CATEGORY_INTERRUPT:
		*falls_through = false;
		return 0;
	default:
		*falls_through = insn->mnemonic != ZYDIS_MNEMONIC_UD2 &&
				 insn->mnemonic != ZYDIS_MNEMONIC_HLT;
		return 0;
	}
}

/* From one address straight on, until the path ends or has been walked before. */
static int follow(struct exploration *e, taddr_t address)
{
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction insn;
	bool falls_through = true;

	while (falls_through && inside(e, address) && !e->seen[address - e->start]) {
		size_t offset = address - e->start;
		int error;

		e->seen[offset] = true;
		if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&e->decoder, e->code + offset,
							 e->bytes - offset, &insn, operands))) {
			e->flow->undecodable = true;
			return 0;
		}
		error = note(e, address, &insn, operands, &falls_through);
		if (error)
			return error;
		address += insn.length;
	}
	return 0;
}

static int explore(struct exploration *e, taddr_t entry)
{
	int error = flow_add(&e->work, entry);

	while (!error && e->work.nr)
		error = follow(e, e->work.items[--e->work.nr]);
	return error;
}

int flow_explore(const struct memread *code, taddr_t entry, taddr_t start, taddr_t end,
		 struct flow *out)
{
	struct flow flow = { .first_target = UINT64_MAX };
	struct exploration e = {
		.start = start, .entry = entry, .bytes = end - start, .flow = &flow,
	};
	int error = -ENOMEM;

	if (end <= start || entry < start || entry >= end || e.bytes > FLOW_BYTES_MAX)
		return -E2BIG;
	ZydisDecoderInit(&e.decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	e.code = malloc(e.bytes);
	e.seen = calloc(e.bytes, sizeof(*e.seen));
	if (e.code && e.seen) {
		ssize_t got = code->read(code, start, e.code, e.bytes);

		e.bytes = got > 0 ? (size_t)got : 0;
		error = inside(&e, entry) ? explore(&e, entry) : -EFAULT;
	}
	free(e.code);
	free(e.seen);
	free(e.work.items);
	if (error)
		flow_release(&flow);
	else
		*out = flow;
	return error;
}

void flow_release(struct flow *flow)
{
	free(flow->returns.items);
	free(flow->calls.items);
	free(flow->tails.items);
	*flow = (struct flow){ 0 };
}
