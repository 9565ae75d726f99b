/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stacks are kept once each, and come back as they went in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "../../tracer/heap/stacks.h"

static struct stacks *stacks;

static int setup(void **state)
{
	return stacks_create(&stacks);
}

static int teardown(void **state)
{
	stacks_destroy(stacks);
	return 0;
}

static uint32_t intern(const code_t *frames, uint32_t nr, bool truncated)
{
	uint32_t id = UINT32_MAX;

	assert_int_equal(stacks_intern(stacks, frames, nr, truncated, &id), 0);
	return id;
}

static void same_stack_same_id(void **state)
{
	const code_t frames[] = { 1, 2, 3 };
	const code_t copy[] = { 1, 2, 3 };

	assert_int_equal(intern(frames, 3, false), 0);
	assert_int_equal(intern(copy, 3, false), 0);
	assert_int_equal(stacks_count(stacks), 1);
}

static void all_that_differs_counts(void **state)
{
	const code_t frames[] = { 1, 2, 3 }, turned[] = { 3, 2, 1 };
	const code_t other_module[] = { code_make(1, 1), 2, 3 };

	assert_int_equal(intern(frames, 3, false), 0);
	assert_int_equal(intern(frames, 3, true), 1);
	assert_int_equal(intern(frames, 2, false), 2);
	assert_int_equal(intern(turned, 3, false), 3);
	assert_int_equal(intern(other_module, 3, false), 4);
	assert_true(stacks_get(stacks, 1).truncated);
	assert_false(stacks_get(stacks, 0).truncated);
}

static void empty_stack(void **state)
{
	assert_int_equal(intern(NULL, 0, false), 0);
	assert_int_equal(intern(NULL, 0, false), 0);
	assert_int_equal(stacks_get(stacks, 0).nr_frames, 0);
}

static void many(void **state)
{
	code_t frames[64] = { 0 };

	for (uint32_t round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < 20000; i++) {
			frames[i % 64] = i;
			assert_int_equal(intern(frames, 1 + i % 64, false), i);
		}
		memset(frames, 0, sizeof(frames));
	}
	assert_int_equal(stacks_count(stacks), 20000);
	assert_int_equal(stacks_get(stacks, 19999).nr_frames, 1 + 19999 % 64);
	assert_int_equal(stacks_get(stacks, 19999).frames[19999 % 64], 19999);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(same_stack_same_id, setup, teardown),
		cmocka_unit_test_setup_teardown(all_that_differs_counts, setup, teardown),
		cmocka_unit_test_setup_teardown(empty_stack, setup, teardown),
		cmocka_unit_test_setup_teardown(many, setup, teardown),
	};

	return cmocka_run_group_tests_name("stacks", tests, NULL, NULL);
}
