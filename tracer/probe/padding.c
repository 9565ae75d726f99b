/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looks for gaps in the unwind rules and at what lies there. */
#include "padding.h"

#include "../arch/arch.h"

/* Alignment is to 16 bytes, on rare occasion to 32 or 64. */
#define PADDING_MOST 63

static bool is_nops(const struct memread *code, taddr_t start, size_t bytes)
{
	uint8_t content[PADDING_MOST];
	struct displaced displaced;
	size_t at = 0;

	if (!memread_exact(code, start, content, bytes))
		return false;
	while (at < bytes) {
		if (displaced_decode(content + at, bytes - at, start + at, &displaced) ||
		    displaced.kind != DISPLACED_SKIP)
			return false;
		at += displaced.length;
	}
	return true;
}

bool padding_next(const struct module *module, const struct memread *code, uint32_t *row,
		  taddr_t *start, taddr_t *end)
{
	const struct rules *rules = module->file ? module->file->rules : NULL;
	taddr_t base = rules ? module->bias + rules->base_vaddr : 0;

	while (rules && *row + 1 < rules->nr_rows) {
		uint32_t i = (*row)++, index = rules_indexes(rules)[i] & RULES_INDEX;

		*start = base + rules_pcs(rules)[i];
		*end = base + rules_pcs(rules)[i + 1];
		if (index < rules->nr_rules && rules_table(rules)[index].kind == RULE_NONE &&
		    *end - *start >= PADDING_LEAST && *end - *start <= PADDING_MOST &&
		    is_nops(code, *start, *end - *start))
			return true;
	}
	return false;
}
