/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lookups in the unwind map, and in rules that nobody vouches for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../tracer/unwind/map.h"

#define BIAS 0x7f0000000000ULL
#define BASE_VADDR 0x1000

static const struct rule table[] = {
	{ .kind = RULE_CFA, .cfa_register = RULE_RSP, .cfa_offset = 8 },
	{ .kind = RULE_CFA, .cfa_register = RULE_RSP, .cfa_offset = 16 },
	{ .kind = RULE_NONE },
};

/* Two functions of two rows, a gap, one more. */
static const uint32_t pcs[] = { 0x100, 0x104, 0x200, 0x210, 0x220, 0x300 };
static const uint16_t indexes[] = {
	RULES_FUNCTION | 0, 1, RULES_FUNCTION | 0, 1, 2, RULES_FUNCTION | 0,
};

enum { NR_ROWS = 6, NR_RULES = 3 };

static struct rules *make_rules(void)
{
	struct rules *rules = calloc(1, rules_bytes(NR_ROWS, NR_RULES));

	rules->magic = RULES_MAGIC;
	rules->nr_rows = NR_ROWS;
	rules->nr_rules = NR_RULES;
	rules->base_vaddr = BASE_VADDR;
	memcpy((void *)rules_pcs(rules), pcs, sizeof(pcs));
	memcpy((void *)rules_indexes(rules), indexes, sizeof(indexes));
	memcpy((void *)rules_table(rules), table, sizeof(table));
	return rules;
}

static taddr_t at(uint32_t offset)
{
	return BIAS + BASE_VADDR + offset;
}

static void add(struct unwind_map *map, taddr_t start, taddr_t end, uint32_t module)
{
	assert_int_equal(unwind_map_add(map, &(struct unwind_range){
		.start = start, .end = end, .module = module }), 0);
}

static void ranges_in_any_order(void **state)
{
	struct unwind_map map = { 0 };

	assert_null(unwind_map_find(&map, 0x1000));
	unwind_map_sort(&map);
	for (uint32_t i = 40; i > 0; i--)
		add(&map, i * 0x1000, i * 0x1000 + 0x800, i);
	unwind_map_sort(&map);
	for (uint32_t i = 1; i <= 40; i++) {
		assert_int_equal(unwind_map_find(&map, i * 0x1000)->module, i);
		assert_int_equal(unwind_map_find(&map, i * 0x1000 + 0x7ff)->module, i);
		assert_null(unwind_map_find(&map, i * 0x1000 + 0x800));
		assert_null(unwind_map_find(&map, i * 0x1000 - 1));
	}
	assert_null(unwind_map_find(&map, 0));
	assert_null(unwind_map_find(&map, UINT64_MAX));
	unwind_map_deinit(&map);
}

static void each_change_is_a_new_generation(void **state)
{
	struct unwind_map map = { 0 };
	uint64_t before = map.generation;

	add(&map, 0x1000, 0x2000, 1);
	unwind_map_sort(&map);
	assert_true(map.generation != before);
	before = map.generation;
	unwind_map_clear(&map);
	assert_true(map.generation != before);
	assert_null(unwind_map_find(&map, 0x1000));
	unwind_map_deinit(&map);
}

static void rule_at_each_row(void **state)
{
	struct rules *rules = make_rules();
	struct unwind_range range = { .start = at(0), .end = at(0x400), .bias = BIAS, .rules = rules };

	assert_true(rules_valid(rules, rules_bytes(NR_ROWS, NR_RULES)));
	assert_int_equal(unwind_rule_at(&range, at(0xff)).kind, RULE_NONE);
	for (unsigned i = 0; i < NR_ROWS; i++) {
		const struct rule *wanted = &table[indexes[i] & RULES_INDEX];
		uint32_t last = i + 1 < NR_ROWS ? pcs[i + 1] - 1 : 0x3ff;
		struct rule first = unwind_rule_at(&range, at(pcs[i]));
		struct rule end = unwind_rule_at(&range, at(last));

		assert_memory_equal(&first, wanted, sizeof(*wanted));
		assert_memory_equal(&end, wanted, sizeof(*wanted));
	}
	/* An offset that does not fit in 32 bits, above and below. */
	assert_int_equal(unwind_rule_at(&range, at(0) + (1ULL << 32)).kind, RULE_NONE);
	assert_int_equal(unwind_rule_at(&range, BIAS).kind, RULE_NONE);
	free(rules);
}

static void check_function(const struct unwind_range *range, uint32_t pc, uint32_t start,
			   uint32_t end)
{
	taddr_t got_start, got_end;

	assert_true(unwind_function_at(range, at(pc), &got_start, &got_end));
	assert_int_equal(got_start, at(start));
	assert_int_equal(got_end, at(end));
}

static void bounds_of_functions(void **state)
{
	struct rules *rules = make_rules();
	struct unwind_range range = { .start = at(0), .end = at(0x400), .bias = BIAS, .rules = rules };
	taddr_t start, end;

	check_function(&range, 0x100, 0x100, 0x200);
	check_function(&range, 0x1ff, 0x100, 0x200);
	check_function(&range, 0x200, 0x200, 0x220);	/* the gap ends it */
	check_function(&range, 0x21f, 0x200, 0x220);
	check_function(&range, 0x300, 0x300, 0x400);	/* as far as the range goes */
	assert_false(unwind_function_at(&range, at(0x220), &start, &end));
	assert_false(unwind_function_at(&range, at(0x2ff), &start, &end));
	assert_false(unwind_function_at(&range, at(0), &start, &end));
	free(rules);
}

static void no_rules(void **state)
{
	struct rules empty = { .magic = RULES_MAGIC };
	struct unwind_range range = { .start = at(0), .end = at(0x400), .bias = BIAS };
	taddr_t start, end;

	for (int i = 0; i < 2; i++) {
		assert_int_equal(unwind_rule_at(&range, at(0x100)).kind, RULE_NONE);
		assert_false(unwind_function_at(&range, at(0x100), &start, &end));
		range.rules = &empty;
	}
}

static void hostile_rules(void **state)
{
	struct rules *rules = make_rules();
	struct unwind_range range = { .start = at(0), .end = at(0x400), .bias = BIAS, .rules = rules };
	size_t bytes = rules_bytes(NR_ROWS, NR_RULES);
	uint16_t *rows = (uint16_t *)rules_indexes(rules);
	taddr_t start, end;

	/* an index beyond the table means nothing is known */
	rows[1] = NR_RULES;
	assert_int_equal(unwind_rule_at(&range, at(0x104)).kind, RULE_NONE);
	rows[1] = RULES_INDEX;
	assert_int_equal(unwind_rule_at(&range, at(0x104)).kind, RULE_NONE);
	/* no row begins a function */
	for (unsigned i = 0; i < NR_ROWS; i++)
		rows[i] = 0;
	check_function(&range, 0x210, 0x100, 0x400);
	/* unsorted: some row is found, and none outside the blob is looked at */
	((uint32_t *)rules_pcs(rules))[3] = 0;
	((uint32_t *)rules_pcs(rules))[5] = 1;
	for (uint32_t pc = 0; pc < 0x400; pc++) {
		(void)unwind_rule_at(&range, at(pc));
		(void)unwind_function_at(&range, at(pc), &start, &end);
	}
	assert_false(rules_valid(rules, bytes - 1));
	rules->nr_rows = UINT32_MAX;
	assert_false(rules_valid(rules, bytes));
	rules->nr_rows = NR_ROWS;
	rules->nr_rules = UINT32_MAX;
	assert_false(rules_valid(rules, bytes));
	rules->nr_rules = NR_RULES;
	rules->magic++;
	assert_false(rules_valid(rules, bytes));
	assert_false(rules_valid(rules, sizeof(*rules) - 1));
	free(rules);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_in_any_order),
		cmocka_unit_test(each_change_is_a_new_generation),
		cmocka_unit_test(rule_at_each_row),
		cmocka_unit_test(bounds_of_functions),
		cmocka_unit_test(no_rules),
		cmocka_unit_test(hostile_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
