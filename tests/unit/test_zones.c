/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where zones go, on address spaces made up: in reach, and in nobody's way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../tracer/probe/zones.h"

#define GIB (1ull << 30)
#define STACK 0x7ffd00000000ull
#define LIBC 0x7f0000000000ull
#define LIBC_END (LIBC + 0x200000)

#define SPACE(...) \
	((struct maps){ .items = (struct mapping[]){ __VA_ARGS__ }, \
			.nr = sizeof((struct mapping[]){ __VA_ARGS__ }) / sizeof(struct mapping) })
#define MAPPING(from, to, name) { .start = (from), .end = (to), .path = (char *)(name) }

static struct module module_at(taddr_t start, taddr_t end, bool is_program)
{
	return (struct module){ .is_program = is_program, .extent = { start, end } };
}

static void is_free(const struct maps *maps, taddr_t place, size_t bytes)
{
	assert_true(place >= 0x10000);
	assert_int_equal(place % 4096, 0);
	for (size_t i = 0; i < maps->nr; i++)
		assert_true(place + bytes <= maps->items[i].start || place >= maps->items[i].end);
}

static taddr_t choose(const struct maps *maps, const struct module *module)
{
	taddr_t place = zone_choose(maps, module);

	is_free(maps, place, ZONE_BYTES);
	assert_true(place < module->extent.end + GIB && place + ZONE_BYTES + GIB > module->extent.start);
	return place;
}

static void test_fixed_address(void **state)
{
	struct maps maps = SPACE(MAPPING(0x400000, 0x500000, "/bin/p"),
				 MAPPING(0x600000, 0x700000, "[heap]"),
				 MAPPING(STACK, STACK + 0x21000, "[stack]"));
	struct module program = module_at(0x400000, 0x500000, true);

	/* Below it: behind it the heap begins. */
	assert_int_equal(choose(&maps, &program), 0x400000 - ZONE_BYTES);
}

static void test_nearest_gap_of_a_library(void **state)
{
	struct maps maps = SPACE(MAPPING(0x550000000000, 0x550000100000, "/bin/p"),
				 MAPPING(0x550000200000, 0x550000300000, "[heap]"),
				 MAPPING(LIBC, LIBC_END, "/lib/libc.so.6"),
				 MAPPING(LIBC_END + 0x2000, LIBC_END + 0x10000, "/lib/libm.so.6"),
				 MAPPING(STACK, STACK + 0x21000, "[stack]"));
	struct module libc = module_at(LIBC, LIBC_END, false);

	/* The gap behind it is too small. */
	assert_int_equal(choose(&maps, &libc), LIBC - ZONE_BYTES);
}

/* A position-independent program low in memory, so that nothing is below it. */
static void test_no_heap_yet(void **state)
{
	struct maps maps = SPACE(MAPPING(0x10000, 0x110000, "/bin/p"),
				 MAPPING(LIBC, LIBC_END, "/lib/libc.so.6"),
				 MAPPING(STACK, STACK + 0x21000, "[stack]"));
	struct module program = module_at(0x10000, 0x110000, true);

	/* Where the heap gets the most room. */
	assert_true(choose(&maps, &program) > 0x110000 + GIB / 2);
}

static void test_heap_everywhere(void **state)
{
	/* Grown beyond what can be reached: there is no place. */
	struct maps maps = SPACE(MAPPING(0x10000, 0x110000, "/bin/p"),
				 MAPPING(0x110000, 0x110000 + 3 * GIB, "[heap]"),
				 MAPPING(LIBC, LIBC_END, "/lib/libc.so.6"),
				 MAPPING(STACK, STACK + 0x21000, "[stack]"));
	struct module program = module_at(0x10000, 0x110000, true);

	assert_int_equal(zone_choose(&maps, &program), 0);
	/* With the end of reach taken by another mapping, too. */
	maps = SPACE(MAPPING(0x10000, 0x110000, "/bin/p"), MAPPING(0x110000, 0x210000, "[heap]"),
		     MAPPING(0x210000 + ZONE_BYTES, 8 * GIB, "/dev/shm/x"),
		     MAPPING(STACK, STACK + 0x21000, "[stack]"));
	assert_int_equal(choose(&maps, &program), 0x210000);
}

static void test_not_below_a_stack(void **state)
{
	struct maps maps = SPACE(MAPPING(LIBC, STACK - 16 * GIB, "/dev/shm/x"),
				 MAPPING(STACK - 0x200000, STACK - 0x100000, "/lib/libc.so.6"),
				 MAPPING(STACK, STACK + 0x21000, "[stack]"));
	struct module libc = module_at(STACK - 0x200000, STACK - 0x100000, false);

	assert_int_equal(choose(&maps, &libc), STACK - 0x200000 - ZONE_BYTES);
}

static void test_no_gap(void **state)
{
	struct maps maps = SPACE(MAPPING(LIBC - 2 * GIB, LIBC, "/dev/shm/x"),
				 MAPPING(LIBC, LIBC_END, "/lib/libc.so.6"),
				 MAPPING(LIBC_END, LIBC_END + 2 * GIB, "/dev/shm/y"));
	struct module libc = module_at(LIBC, LIBC_END, false);

	assert_int_equal(zone_choose(&maps, &libc), 0);
}

static void test_far(void **state)
{
	struct maps maps = SPACE(MAPPING(0x400000, 0x500000, "/bin/p"),
				 MAPPING(LIBC, LIBC_END, "/lib/libc.so.6"),
				 MAPPING(STACK, STACK + 0x21000, "[stack]"),
				 MAPPING(0xffffffffff600000, 0xffffffffff601000, "[vsyscall]"));
	struct maps full = SPACE(MAPPING(0x10000, 0x7ffffffff000, "/dev/shm/x"));
	taddr_t place = zone_choose_far(&maps, GIB);

	is_free(&maps, place, GIB);
	assert_true(place > 8 * GIB && place + 8 * GIB < LIBC);
	assert_int_equal(zone_choose_far(&full, GIB), 0);
}

static void test_slots(void **state)
{
	struct module near = module_at(LIBC, LIBC_END, false);
	struct module far = module_at(0x400000, 0x500000, true);
	taddr_t start = LIBC - ZONE_BYTES, slots[ZONE_SLOTS];
	struct zones zones = { 0 };

	assert_int_equal(zones_take(&zones, &near), 0);
	assert_int_equal(zones_add(&zones, start), 0);
	assert_int_equal(zones_take(&zones, &far), 0);
	for (unsigned i = 0; i < ZONE_SLOTS; i++) {
		slots[i] = zones_take(&zones, &near);
		assert_true(zones_contain(&zones, slots[i]));
		assert_true(zones_contain(&zones, slots[i] + ZONE_SLOT_BYTES - 1));
		for (unsigned j = 0; j < i; j++)
			assert_int_not_equal(slots[i], slots[j]);
	}
	assert_int_equal(zones_take(&zones, &near), 0);
	zones_give_back(&zones, slots[17]);
	zones_give_back(&zones, start - 1);
	assert_int_equal(zones_take(&zones, &near), slots[17]);
	assert_int_equal(zones_take(&zones, &near), 0);
	assert_false(zones_contain(&zones, start - 1));
	assert_false(zones_contain(&zones, start + ZONE_BYTES));
	zones_deinit(&zones);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fixed_address),
		cmocka_unit_test(test_nearest_gap_of_a_library),
		cmocka_unit_test(test_no_heap_yet),
		cmocka_unit_test(test_heap_everywhere),
		cmocka_unit_test(test_not_below_a_stack),
		cmocka_unit_test(test_no_gap),
		cmocka_unit_test(test_far),
		cmocka_unit_test(test_slots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
