/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Collects rows and the rules that they name, then lays them out. */
#include "zone_rules.h"

#include <stdlib.h>
#include <string.h>

#define ROWS_MAX (ZONE_SLOTS * (ZONE_ROWS + 1))

struct builder {
	uint32_t nr_rows, nr_rules;
	uint32_t pcs[ROWS_MAX];
	uint16_t indexes[ROWS_MAX];
	struct rule table[ROWS_MAX];
};

static uint32_t find_rule(struct builder *builder, const struct rule *rule)
{
	uint32_t i = 0;

	while (i < builder->nr_rules && memcmp(&builder->table[i], rule, sizeof(*rule)))
		i++;
	if (i == builder->nr_rules)
		builder->table[builder->nr_rules++] = *rule;
	return i;
}

static void add_row(struct builder *builder, uint32_t at, const struct rule *rule, unsigned flag)
{
	builder->pcs[builder->nr_rows] = at;
	builder->indexes[builder->nr_rows++] = (uint16_t)(find_rule(builder, rule) | flag);
}

/* What a slot's rows do not speak of, as a slot that was never used, has none. */
static void add_slot(struct builder *builder, uint32_t start, const struct zone_slot *slot)
{
	const struct rule none = { .kind = RULE_NONE };

	if (!slot->nr || slot->rows[0].at)
		add_row(builder, start, &none, RULES_FUNCTION);
	for (uint32_t i = 0; i < slot->nr; i++)
		add_row(builder, start + slot->rows[i].at, &slot->rows[i].rule,
			slot->rows[i].at ? 0 : RULES_FUNCTION);
}

static struct rules *lay_out(const struct builder *builder, size_t bytes)
{
	struct rules *rules = calloc(1, bytes);

	if (!rules)
		return NULL;
	*rules = (struct rules){
		.magic = RULES_MAGIC, .nr_rows = builder->nr_rows, .nr_rules = builder->nr_rules,
	};
	memcpy((void *)(uintptr_t)rules_pcs(rules), builder->pcs,
	       builder->nr_rows * sizeof(builder->pcs[0]));
	memcpy((void *)(uintptr_t)rules_indexes(rules), builder->indexes,
	       builder->nr_rows * sizeof(builder->indexes[0]));
	memcpy((void *)(uintptr_t)rules_table(rules), builder->table,
	       builder->nr_rules * sizeof(builder->table[0]));
	return rules;
}

struct rules *zone_rules_build(const struct zone *zone, size_t *bytes)
{
	struct builder *builder = calloc(1, sizeof(*builder));
	struct rules *rules;

	if (!builder)
		return NULL;
	for (uint32_t i = 0; i < ZONE_SLOTS; i++)
		add_slot(builder, i * ZONE_SLOT_BYTES, &zone->slots[i]);
	*bytes = rules_bytes(builder->nr_rows, builder->nr_rules);
	rules = lay_out(builder, *bytes);
	free(builder);
	return rules;
}
