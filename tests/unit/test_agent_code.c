/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the agent's cache of code answers, twice for each place: when it is asked first, and out
 * of the cache.  Both must be what the tracer's map says, for each row of the modules of this
 * process, and for rules at the bounds of what an entry can say.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../../tracer/agent/code.h"
#include "agent_fixture.h"

#define MADE_UP_AT 0x600000000000ull
#define MADE_UP_ROWS RULES_INDEX

/* Only what a step reads. */
static void assert_same_rule(const struct rule *found, const struct rule *wanted)
{
	assert_int_equal(found->kind, wanted->kind);
	if (wanted->kind == RULE_PLT)
		assert_int_equal(found->cfa_offset, wanted->cfa_offset);
	if (wanted->kind != RULE_CFA && wanted->kind != RULE_CFA_DEREF)
		return;
	assert_int_equal(found->cfa_register, wanted->cfa_register);
	assert_int_equal(found->cfa_offset, wanted->cfa_offset);
	assert_int_equal(found->rbp_saved, wanted->rbp_saved);
	if (wanted->kind == RULE_CFA_DEREF)
		assert_int_equal(found->deref_add, wanted->deref_add);
	if (wanted->rbp_saved != RULE_UNSAVED)
		assert_int_equal(found->rbp_offset, wanted->rbp_offset);
}

static void check_place(const struct agent_codes *codes, const struct unwind_range *range,
			taddr_t place)
{
	const struct rule wanted = unwind_rule_at(range, place);

	for (int i = 0; i < 2; i++) {
		struct agent_code code;

		agent_code_at(codes, place, &code);
		assert_true(code.is_code);
		assert_int_equal(code.module, range->module);
		assert_same_rule(&code.rule, &wanted);
	}
}

static uint32_t check_range(const struct agent_codes *codes, const struct unwind_range *range)
{
	uint32_t nr = range->rules ? range->rules->nr_rows : 0, checked = 0;

	for (uint32_t row = 0; row < nr; row++) {
		taddr_t place = range->bias + range->rules->base_vaddr +
				rules_pcs(range->rules)[row];

		if (place < range->start || place >= range->end)
			continue;
		check_place(codes, range, place);
		checked++;
	}
	return checked;
}

static void test_every_row_of_this_process(void **state)
{
	struct agent_codes codes;
	uint32_t checked = 0;

	assert_true(agent_codes_open(&codes));
	for (size_t i = 0; i < fixture.map.nr; i++)
		checked += check_range(&codes, &fixture.map.items[i]);
	assert_true(checked > 10000); /* libc alone has more */
}

/* The n-th of some 10,000 rules around the bounds. */
static struct rule made_up(uint32_t n)
{
	static const int32_t cfas[] = {
		0, 8, 16, 12, 2032, 2040, 2048, 4096, 8 * 0xff + 4, 1 << 20, -8, INT32_MAX, INT32_MIN,
	};
	static const int32_t rbps[] = {
		-8, -16, -12, -504, -512, -520, 0, 8, 16, INT32_MAX, INT32_MIN, -1048576,
	};
	struct rule rule = { .kind = n % 7 };

	rule.cfa_register = n / 7 % 2 ? RULE_RBP : RULE_RSP;
	rule.rbp_saved = n / 14 % 3;
	rule.cfa_offset = cfas[n / 42 % 13];
	rule.rbp_offset = rbps[n / 42 / 13 % 12];
	rule.deref_add = (int32_t)n;
	return rule;
}

static struct rules *make_up(void)
{
	struct rules *rules = calloc(1, rules_bytes(MADE_UP_ROWS, MADE_UP_ROWS));

	assert_non_null(rules);
	*rules = (struct rules){
		.magic = RULES_MAGIC, .nr_rows = MADE_UP_ROWS, .nr_rules = MADE_UP_ROWS,
	};
	for (uint32_t i = 0; i < MADE_UP_ROWS; i++) {
		const struct rule rule = made_up(i);

		((uint32_t *)(uintptr_t)rules_pcs(rules))[i] = i;
		((uint16_t *)(uintptr_t)rules_indexes(rules))[i] = (uint16_t)i;
		memcpy((void *)(uintptr_t)&rules_table(rules)[i], &rule, sizeof(rule));
	}
	return rules;
}

static void test_rules_at_the_bounds(void **state)
{
	struct rules *rules = make_up();
	const struct unwind_range range = {
		.start = MADE_UP_AT, .end = MADE_UP_AT + MADE_UP_ROWS, .bias = MADE_UP_AT,
		.rules = rules, .module = 77,
	};
	struct agent_codes codes;

	assert_true(rules_valid(rules, rules_bytes(MADE_UP_ROWS, MADE_UP_ROWS)));
	assert_int_equal(unwind_map_add(&fixture.map, &range), 0);
	unwind_map_sort(&fixture.map);
	fixture_publish();
	assert_true(agent_codes_open(&codes));
	assert_int_equal(check_range(&codes, &range), MADE_UP_ROWS);
	fixture_read_maps();
	fixture_publish();
	free(rules);
}

/* Code that is not there any more, and what was never code. */
static void test_another_map(void **state)
{
	const struct unwind_range range = {
		.start = MADE_UP_AT, .end = MADE_UP_AT + 4096, .module = 78,
	};
	struct agent_codes codes;

	assert_int_equal(unwind_map_add(&fixture.map, &range), 0);
	unwind_map_sort(&fixture.map);
	fixture_publish();
	assert_true(agent_codes_open(&codes));
	check_place(&codes, &range, MADE_UP_AT + 5);
	fixture_read_maps();
	/* as many maps as have caches of their own: the next one has that of the first */
	for (int i = 0; i < AGENT_CACHES; i++)
		fixture_publish();
	assert_true(agent_codes_open(&codes));
	for (int i = 0; i < 2; i++) {
		struct agent_code code;

		agent_code_at(&codes, MADE_UP_AT + 5, &code);
		assert_false(code.is_code);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_row_of_this_process),
		cmocka_unit_test(test_rules_at_the_bounds),
		cmocka_unit_test(test_another_map),
	};
	int failed;

	fixture_start();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	fixture_stop();
	return failed;
}
