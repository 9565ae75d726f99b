/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads of a stack through the window: their bytes, and how many reads of the target they cost. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../tracer/unwind/window.h"

#define STACK 0x7ffe00000000ULL
#define SP (STACK + 0x100)

static struct target {
	struct memread read;
	taddr_t start, end;		/* readable */
	unsigned nr_reads;
	size_t nr_bytes;		/* asked for in all */
} target;

static struct window window;

static uint8_t byte_at(taddr_t address)
{
	return (uint8_t)(address * 7 ^ address >> 8);
}

static ssize_t read_target(const struct memread *mem, taddr_t address, void *buffer, size_t bytes)
{
	struct target *owner = mem->owner;

	owner->nr_reads++;
	owner->nr_bytes += bytes;
	if (address < owner->start || address >= owner->end)
		return -EFAULT;
	if (bytes > owner->end - address)
		bytes = owner->end - address;
	for (size_t i = 0; i < bytes; i++)
		((uint8_t *)buffer)[i] = byte_at(address + i);
	return (ssize_t)bytes;
}

static int setup(void **state)
{
	target = (struct target){
		.read = { .read = read_target, .owner = &target },
		.start = STACK, .end = STACK + (1 << 20),
	};
	window_init(&window, &target.read);
	return 0;
}

static bool right(taddr_t address, size_t bytes)
{
	uint8_t got[256];

	if (!memread_exact(&window.read, address, got, bytes))
		return false;
	for (size_t i = 0; i < bytes; i++)
		assert_int_equal(got[i], byte_at(address + i));
	return true;
}

static void one_read_serves_a_usual_walk(void **state)
{
	window_open(&window, SP);
	assert_int_equal(target.nr_reads, 1);
	assert_true(target.nr_bytes >= 1024);
	for (taddr_t at = SP; at + 8 <= SP + 1024; at += 8)
		assert_true(right(at, 8));
	assert_int_equal(target.nr_reads, 1);
}

static void nothing_is_read_before_it_is_opened(void **state)
{
	assert_int_equal(target.nr_reads, 0);
	assert_int_equal(window.bytes, 0);
}

static void grows_with_a_deep_walk(void **state)
{
	window_open(&window, SP);
	for (taddr_t at = SP; at + 8 <= SP + WINDOW_BYTES; at += 64)
		assert_true(right(at, 8));
	/* 64 KiB in pieces of some 4 KiB */
	assert_true(target.nr_reads <= 17);
	assert_true(target.nr_bytes <= WINDOW_BYTES + 8);
	target.nr_reads = 0;
	assert_true(right(SP + WINDOW_BYTES - 8, 8));
	assert_int_equal(target.nr_reads, 0);
	/* the next walk of that depth begins with more, but never with all */
	target.nr_bytes = 0;
	window_open(&window, SP);
	assert_int_equal(target.nr_reads, 1);
	assert_true(target.nr_bytes > 16 * 1024 && target.nr_bytes <= 32 * 1024);
}

static void shrinks_when_little_is_needed(void **state)
{
	window_open(&window, SP);
	assert_true(right(SP + 30000, 8));
	window_open(&window, SP);
	for (int i = 0; i < 100; i++) {
		assert_true(right(SP, 8));
		target.nr_bytes = 0;
		window_open(&window, SP);
	}
	assert_true(target.nr_bytes <= 8 * 1024);
}

static void elsewhere_passes_through(void **state)
{
	window_open(&window, SP);
	target.nr_reads = 0;
	assert_true(right(SP - 8, 8));			/* below */
	assert_int_equal(target.nr_reads, 1);
	assert_true(right(SP + WINDOW_BYTES, 8));	/* above all it may hold */
	assert_int_equal(target.nr_reads, 2);
	assert_true(right(SP - 4, 8));			/* across its start */
	assert_true(right(SP + WINDOW_BYTES - 4, 8));	/* across its end */
	assert_int_equal(target.nr_reads, 4);
	assert_false(right(STACK - 8, 8));
	assert_false(right(0, 8));
	assert_false(right(UINT64_MAX - 3, 8));
	assert_false(right(UINT64_MAX - 7, 8));
}

static void end_of_the_stack(void **state)
{
	uint8_t buffer[16];

	target.end = SP + 300;
	window_open(&window, SP);
	assert_true(right(SP + 292, 8));
	assert_int_equal(target.nr_reads, 1);
	/* what is missing is asked for, and not made up */
	assert_false(right(SP + 296, 8));
	assert_int_equal(window.read.read(&window.read, SP + 296, buffer, 8), 4);
	assert_memory_equal(buffer, ((uint8_t[]){ byte_at(SP + 296), byte_at(SP + 297),
						   byte_at(SP + 298), byte_at(SP + 299) }), 4);
	assert_int_equal(window.read.read(&window.read, SP + 300, buffer, 8), -EFAULT);
	assert_true(right(SP, 8));
}

static void unreadable_from_the_start(void **state)
{
	window_open(&window, STACK - 4096);
	assert_int_equal(window.bytes, 0);
	assert_false(right(STACK - 4096, 8));
	/* the mapping begins within the window: served all the same */
	assert_true(right(STACK, 8));
}

static void each_opening_forgets_the_last(void **state)
{
	window_open(&window, SP);
	assert_true(right(SP, 8));
	window_open(&window, SP + 0x1000);
	target.nr_reads = 0;
	assert_true(right(SP + 0x1000, 8));
	assert_int_equal(target.nr_reads, 0);
	assert_true(right(SP, 8));
	assert_int_equal(target.nr_reads, 1);
}

static void one_large_read(void **state)
{
	static uint8_t got[WINDOW_BYTES];

	window_open(&window, SP);
	assert_true(memread_exact(&window.read, SP, got, sizeof(got)));
	for (size_t i = 0; i < sizeof(got); i++)
		if (got[i] != byte_at(SP + i))
			fail();
	assert_int_equal(window.bytes, WINDOW_BYTES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(one_read_serves_a_usual_walk, setup),
		cmocka_unit_test_setup(nothing_is_read_before_it_is_opened, setup),
		cmocka_unit_test_setup(grows_with_a_deep_walk, setup),
		cmocka_unit_test_setup(shrinks_when_little_is_needed, setup),
		cmocka_unit_test_setup(elsewhere_passes_through, setup),
		cmocka_unit_test_setup(end_of_the_stack, setup),
		cmocka_unit_test_setup(unreadable_from_the_start, setup),
		cmocka_unit_test_setup(each_opening_forgets_the_last, setup),
		cmocka_unit_test_setup(one_large_read, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
