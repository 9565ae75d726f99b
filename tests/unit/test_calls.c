/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a new entry relates to a call under way, told from hand-made walks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../tracer/probe/calls.h"

#define SLOT 0x7ffe00001000ULL	/* where the return address of the call under way lies */

/* The allocator's code; the call under way is of `function`, whose tail is a piece of its own. */
#define FUNCTION 0x10000
#define TAIL 0x18000
#define HELPER 0x20000
#define CALLER 0x90000

enum { ALLOCATOR = 3, PROGRAM };

static struct function_piece pieces[] = { { FUNCTION, FUNCTION + 0x100 }, { TAIL, TAIL + 0x80 } };
static struct module module;
static struct function function;
static struct walk walk;

static int setup(void **state)
{
	module = (struct module){ .id = ALLOCATOR };
	function = (struct function){
		.module = &module, .address = FUNCTION,
		.pieces = { .items = pieces, .nr = 2, .room = 2 },
	};
	walk = (struct walk){ .end = WALK_OUTERMOST };
	return 0;
}

/* The next frame outwards: a return address, and where it lies. */
static void frame(uint32_t in, taddr_t pc, taddr_t slot)
{
	walk.frames[walk.nr] = code_make(in, pc);
	walk.slots[walk.nr++] = slot;
	walk.first_signal = walk.nr;
}

static void check(enum call_relation wanted)
{
	assert_int_equal(calls_relate(&function, SLOT, &walk), wanted);
}

static void called_by_the_function(void **state)
{
	frame(ALLOCATOR, FUNCTION + 0x20, SLOT - 64);
	frame(PROGRAM, CALLER, SLOT);
	frame(PROGRAM, CALLER + 0x500, SLOT + 48);
	check(CALL_NESTED);
}

static void called_by_its_tail_or_by_a_helper(void **state)
{
	frame(ALLOCATOR, HELPER, SLOT - 128);
	frame(ALLOCATOR, TAIL + 0x10, SLOT - 64);
	frame(PROGRAM, CALLER, SLOT);
	check(CALL_NESTED);
}

static void slot_taken_by_another_call(void **state)
{
	/* free(p); g(): g's return address lies where free's did, and g allocates */
	frame(PROGRAM, CALLER + 0x800, SLOT - 32);
	frame(PROGRAM, CALLER, SLOT);
	check(CALL_STALE);
}

static void made_from_the_same_place_again(void **state)
{
	/* The new entry's own return address is found by its stack pointer, not here. */
	frame(PROGRAM, CALLER, SLOT);
	check(CALL_STALE);
}

static void tails_that_are_not_known(void **state)
{
	frame(ALLOCATOR, HELPER, SLOT - 64);
	frame(PROGRAM, CALLER, SLOT);
	check(CALL_STALE);
	/* It may have jumped anywhere, but not out of its module. */
	function.tails_unknown = true;
	check(CALL_NESTED);
	walk.frames[0] = code_make(PROGRAM, CALLER);
	check(CALL_STALE);
}

static void frame_that_is_gone(void **state)
{
	check(CALL_STALE);			/* no frame at all */
	frame(PROGRAM, CALLER, SLOT + 48);	/* further out */
	check(CALL_STALE);
	setup(NULL);
	frame(PROGRAM, CALLER, SLOT - 64);	/* around it, by another way */
	frame(PROGRAM, CALLER, SLOT + 48);
	check(CALL_STALE);
	walk.end = WALK_DEPTH;
	check(CALL_STALE);
}

static void signal_between(void **state)
{
	/* A handler allocates; frame 1 is the code of the function that it interrupted. */
	frame(PROGRAM, CALLER, SLOT - 900);
	frame(ALLOCATOR, FUNCTION + 0x20, SLOT - 40);
	frame(PROGRAM, CALLER, SLOT);
	walk.first_signal = 1;
	check(CALL_OUTERMOST);
}

static void signal_at_the_first_instruction(void **state)
{
	/* The interrupted frame's stack pointer is the slot itself. */
	frame(PROGRAM, CALLER, SLOT - 900);
	frame(ALLOCATOR, FUNCTION + 1, SLOT);
	frame(PROGRAM, CALLER, SLOT);
	walk.first_signal = 1;
	check(CALL_OUTERMOST);
}

static void signal_before_the_call(void **state)
{
	/* The handler made both: what it interrupted lies further out. */
	frame(ALLOCATOR, FUNCTION + 0x20, SLOT - 64);
	frame(PROGRAM, CALLER, SLOT);
	frame(PROGRAM, CALLER + 0x900, SLOT + 900);
	walk.first_signal = 2;
	check(CALL_NESTED);
}

static void signal_on_an_alternate_stack(void **state)
{
	/* The walk came back from it. */
	frame(PROGRAM, CALLER, 0x5000);
	frame(ALLOCATOR, FUNCTION + 0x20, SLOT - 40);
	frame(PROGRAM, CALLER, SLOT);
	walk.first_signal = 1;
	check(CALL_OUTERMOST);
	/* It did not: the call waits beneath, for all that is known. */
	walk.nr = 2;
	walk.end = WALK_LOST;
	check(CALL_OUTERMOST);
	walk.end = WALK_DEPTH;
	check(CALL_OUTERMOST);
	/* It reached the outermost frame, and the call is in none: left by siglongjmp. */
	walk.end = WALK_OUTERMOST;
	check(CALL_STALE);
}

static void lost_in_the_function(void **state)
{
	/* musl has no unwind data: the walk ends in its first frame */
	walk.end = WALK_LOST;
	frame(ALLOCATOR, FUNCTION + 0x20, SLOT - 64);
	check(CALL_NESTED);
	walk.frames[0] = code_make(ALLOCATOR, TAIL);
	check(CALL_NESTED);
	/* in another one of the same library, but not of a program that is all one file */
	walk.frames[0] = code_make(ALLOCATOR, HELPER);
	check(CALL_NESTED);
	module.is_program = true;
	check(CALL_STALE);
	function.tails_unknown = true;
	check(CALL_NESTED);
}

static void lost_elsewhere(void **state)
{
	walk.end = WALK_LOST;
	check(CALL_STALE);
	frame(PROGRAM, CALLER, SLOT - 64);
	check(CALL_STALE);
	/* in the function, but beyond the slot: a later call of it */
	walk.frames[0] = code_make(ALLOCATOR, FUNCTION + 0x20);
	walk.slots[0] = SLOT + 8;
	check(CALL_STALE);
	/* not lost at all */
	walk.slots[0] = SLOT - 64;
	walk.end = WALK_OUTERMOST;
	check(CALL_STALE);
}

static void full(void **state)
{
	struct calls calls = { 0 };

	for (uint32_t i = 0; i < CALLS_MAX; i++)
		assert_true(calls_push(&calls, &(struct call){ .sp = SLOT - 64 * i }));
	assert_false(calls_push(&calls, &(struct call){ .sp = 0x1000 }));
	assert_int_equal(calls.nr, CALLS_MAX);
	assert_int_equal(calls.items[CALLS_MAX - 1].sp, SLOT - 64 * (CALLS_MAX - 1));
}

static void found_by_stack_pointer(void **state)
{
	struct calls calls = { 0 };

	assert_int_equal(calls_find(&calls, SLOT), -1);
	assert_true(calls_push(&calls, &(struct call){ .sp = SLOT }));
	assert_int_equal(calls_find(&calls, SLOT), 0);
	assert_int_equal(calls_find(&calls, SLOT - 8), -1);
	assert_true(calls_push(&calls, &(struct call){ .sp = SLOT - 64 }));
	assert_true(calls_push(&calls, &(struct call){ .sp = SLOT }));
	assert_int_equal(calls_find(&calls, SLOT), 2);	/* the latest */
	assert_int_equal(calls_find(&calls, SLOT - 64), 1);
	calls.nr = 0;
	assert_int_equal(calls_find(&calls, SLOT), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(called_by_the_function, setup),
		cmocka_unit_test_setup(called_by_its_tail_or_by_a_helper, setup),
		cmocka_unit_test_setup(slot_taken_by_another_call, setup),
		cmocka_unit_test_setup(made_from_the_same_place_again, setup),
		cmocka_unit_test_setup(tails_that_are_not_known, setup),
		cmocka_unit_test_setup(frame_that_is_gone, setup),
		cmocka_unit_test_setup(signal_between, setup),
		cmocka_unit_test_setup(signal_at_the_first_instruction, setup),
		cmocka_unit_test_setup(signal_before_the_call, setup),
		cmocka_unit_test_setup(signal_on_an_alternate_stack, setup),
		cmocka_unit_test_setup(lost_in_the_function, setup),
		cmocka_unit_test_setup(lost_elsewhere, setup),
		cmocka_unit_test(full),
		cmocka_unit_test(found_by_stack_pointer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
