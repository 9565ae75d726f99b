/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copies rows; each instruction of a copy gets one, as do the jump back and what lies behind. */
#include "detour_rules.h"

#include "../agent/blob.h"
#include "../unwind/map.h"

/* The template's rows are among those of the agent, whose image it is part of. */
static int describe_stub(uint32_t start, uint32_t end, struct zone_slot *out)
{
	const struct rules *rules = (const struct rules *)agent_rules;
	int error = 0;

	for (uint32_t row = 0; !error && row < rules->nr_rows; row++) {
		uint64_t at = rules->base_vaddr + rules_pcs(rules)[row];
		uint32_t index = rules_indexes(rules)[row] & RULES_INDEX;

		if (at >= start && at < end)
			error = zone_slot_add(out, (uint32_t)(at - start),
					      &rules_table(rules)[index]);
	}
	return error;
}

/* Of a function without unwind data only its first instruction is known. */
static struct rule rule_at(const struct function *function, taddr_t pc)
{
	const struct module *module = function->module;
	const struct unwind_range range = {
		.bias = module->bias, .rules = module->file ? module->file->rules : NULL,
	};
	struct rule rule = unwind_rule_at(&range, pc);

	if (rule.kind == RULE_NONE && pc == function->address)
		rule = (struct rule){
			.kind = RULE_CFA, .cfa_register = RULE_RSP, .cfa_offset = 8,
		};
	return rule;
}

static int describe_copy(const struct detour *detour, const struct function *function,
			 struct zone_slot *out)
{
	const struct prologue *prologue = &detour->prologue;
	const struct rule none = { .kind = RULE_NONE };
	uint32_t copy = (uint32_t)(detour->copy - detour->stub);
	struct rule rule;
	int error = 0;

	for (unsigned i = 0; !error && i < prologue->nr; i++) {
		rule = rule_at(function, prologue->instructions[i].address);
		error = zone_slot_add(out, copy + prologue->copied_at[i], &rule);
	}
	if (!error && !prologue->ends) {
		rule = rule_at(function, prologue->address + prologue->bytes);
		error = zone_slot_add(out, copy + prologue->copy_bytes - ARCH_JUMP_BYTES, &rule);
	}
	return error ? error : zone_slot_add(out, (uint32_t)(detour->end - detour->stub), &none);
}

int detour_describe(const struct detour *detour, const struct function *function,
		    struct zone_slot *out)
{
	const struct agent_header *header = (const struct agent_header *)agent_blob;
	bool jump = detour_is_left_for_good(function);
	int error = describe_stub(jump ? header->jump : header->call,
				  jump ? header->jump_end : header->call_end, out);

	return error ? error : describe_copy(detour, function, out);
}
