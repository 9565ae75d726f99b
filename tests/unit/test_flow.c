/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Functions followed through recorded and hand-made bytes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../tracer/arch/x86_64/flow.h"

#define BASE 0x10000ULL

struct bytes {
	struct memread read;
	const uint8_t *items;
	size_t nr;
};

static ssize_t read_bytes(const struct memread *mem, taddr_t address, void *buffer, size_t bytes)
{
	const struct bytes *code = mem->owner;

	if (address < BASE || address >= BASE + code->nr)
		return -EFAULT;
	if (bytes > BASE + code->nr - address)
		bytes = BASE + code->nr - address;
	memcpy(buffer, code->items + (address - BASE), bytes);
	return (ssize_t)bytes;
}

static int explore_part(const void *items, size_t nr, taddr_t entry, taddr_t start, taddr_t end,
			struct flow *out)
{
	struct bytes code = { .items = items, .nr = nr };

	code.read = (struct memread){ .read = read_bytes, .owner = &code };
	return flow_explore(&code.read, entry, start, end, out);
}

static struct flow explored(const char *items, size_t nr)
{
	struct flow flow;

	assert_int_equal(explore_part(items, nr, BASE, BASE, BASE + nr, &flow), 0);
	return flow;
}

#define EXPLORE(text) explored(text, sizeof(text) - 1)

static void check(const struct flow_addresses *got, size_t nr, ...)
{
	va_list wanted;

	assert_int_equal(got->nr, nr);
	va_start(wanted, nr);
	for (size_t i = 0; i < nr; i++) {
		taddr_t address = BASE + (taddr_t)va_arg(wanted, long);

		if (!flow_has(got, address))
			fail_msg("0x%llx is missing", (unsigned long long)address);
	}
	va_end(wanted);
}

static void check_plain(const struct flow *flow)
{
	assert_false(flow->indirect_jump);
	assert_false(flow->indirect_call);
	assert_false(flow->undecodable);
}

/* glibc 2.36, x86-64 of Debian 12 */
static void reallocarray_of_glibc(void **state)
{
	struct flow flow = EXPLORE(
		"\x48\x89\xf0\x48\xf7\xe2\x48\x89\xc6\x70\x05"	/* mov, mul, mov, jo +5 */
		"\xe9\x40\xb8\xf8\xff"				/* jmp realloc@plt */
		"\x48\x8b\x05\xe9\x85\x13\x00\x64\xc7\x00\x0c\x00\x00\x00\x31\xc0\xc3");

	check(&flow.returns, 1, 0x20L);
	check(&flow.tails, 1, 0x10L - 0x747c0L);
	check(&flow.calls, 0);
	check_plain(&flow);
	flow_release(&flow);
}

/* musl 1.2.3 */
static void reallocarray_of_musl(void **state)
{
	struct flow flow = EXPLORE(
		"\x48\x89\xd1\x48\x85\xd2\x74\x08\x48\x89\xf0\x48\xf7\xe1\x70\x09"
		"\x48\x0f\xaf\xf1\xe9\x27\xb0\xfe\xff"		/* jmp realloc@plt */
		"\x50\xe8\xb1\x13\xff\xff"			/* call __errno_location */
		"\xc7\x00\x0c\x00\x00\x00\x31\xc0\x5a\xc3");

	check(&flow.returns, 1, 0x28L);
	check(&flow.tails, 1, 0x19L - 0x14fd9L);
	check(&flow.calls, 1, 0x1fL - 0xec4fL);
	check_plain(&flow);
	flow_release(&flow);
}

static void several_returns(void **state)
{
	/* test; je +2; ret; nop; rep ret; (not reached: ret) */
	struct flow flow = EXPLORE("\x85\xff\x74\x02\xc3\x90\xf3\xc3\xc3");

	check(&flow.returns, 2, 4L, 6L);
	check(&flow.tails, 0);
	check_plain(&flow);
	flow_release(&flow);
}

static void calls_are_noted_once(void **state)
{
	/* call +0x100; call the same; call *%rax; ret */
	struct flow flow = EXPLORE("\xe8\x00\x01\x00\x00\xe8\xfb\x00\x00\x00\xff\xd0\xc3");

	check(&flow.calls, 1, 0x105L);
	check(&flow.returns, 1, 12L);
	assert_true(flow.indirect_call);
	assert_false(flow.indirect_jump);
	flow_release(&flow);
}

static void indirect_jumps(void **state)
{
	static const struct {
		const char *bytes;
		size_t nr;
	} jumps[] = {
		{ "\xff\x24\xc5\x00\x10\x40\x00\xc3", 8 },	/* jmp *0x401000(,%rax,8) */
		{ "\xff\xe0\xc3", 3 },				/* jmp *%rax */
		{ "\x3e\xff\xe2\xc3", 4 },			/* notrack jmp *%rdx */
		{ "\xff\x25\x10\x00\x00\x00\xc3", 7 },		/* jmp *0x10(%rip), as in a PLT */
		{ "\xf2\xff\x25\x10\x00\x00\x00\xc3", 8 },
	};

	for (size_t i = 0; i < sizeof(jumps) / sizeof(jumps[0]); i++) {
		struct flow flow = explored(jumps[i].bytes, jumps[i].nr);

		assert_true(flow.indirect_jump);
		check(&flow.returns, 0);	/* what follows is not run */
		assert_false(flow.undecodable);
		flow_release(&flow);
	}
}

static void conditional_tail_jump(void **state)
{
	/* test; je far away; ret */
	struct flow flow = EXPLORE("\x48\x85\xff\x0f\x84\xbf\x00\x00\x00\xc3");

	check(&flow.tails, 1, 9 + 0xbfL);
	check(&flow.returns, 1, 9L);
	flow_release(&flow);
}

static void undecodable_path(void **state)
{
	/* je +1; push %es (none in 64-bit mode); ret */
	struct flow flow = EXPLORE("\x74\x01\x06\xc3");

	assert_true(flow.undecodable);
	check(&flow.returns, 1, 3L);
	flow_release(&flow);
}

static void instruction_cut_by_the_end(void **state)
{
	struct flow flow = EXPLORE("\x90\x48\x8b\x05\x00");

	assert_true(flow.undecodable);
	flow_release(&flow);
}

static void nothing_follows_traps(void **state)
{
	static const char *const traps[] = { "\x0f\x0b\xc3", "\xf4\xc3\x90", "\xcc\xc3\x90" };

	for (size_t i = 0; i < sizeof(traps) / sizeof(traps[0]); i++) {
		struct flow flow = explored(traps[i], 3);

		check(&flow.returns, 0);
		check_plain(&flow);
		flow_release(&flow);
	}
}

static void loops_end(void **state)
{
	/* 0: jmp itself.  0: dec; jne 0; loop 0; jrcxz 0; jmp 1 (into an instruction); */
	struct flow flow = EXPLORE("\xeb\xfe");

	check(&flow.returns, 0);
	check(&flow.tails, 0);
	flow_release(&flow);
	flow = EXPLORE("\x48\xff\xc9\x75\xfb\xe2\xf9\xe3\xf7\x74\xf6\xc3");
	check(&flow.returns, 1, 11L);
	check(&flow.tails, 0);
	flow_release(&flow);
}

static void backward_out_of_the_function(void **state)
{
	static const uint8_t code[] = "\xc3\x90\x90\x90\x85\xc0\x74\xf8\xeb\xf9";
	struct flow flow;

	/* The function begins at 4: je 0 and jmp 3 leave it. */
	assert_int_equal(explore_part(code, 10, BASE + 4, BASE + 4, BASE + 10, &flow), 0);
	check(&flow.tails, 2, 0L, 3L);
	check(&flow.returns, 0);
	flow_release(&flow);
	/* With the whole of it inside, the entry in the middle. */
	assert_int_equal(explore_part(code, 10, BASE + 4, BASE, BASE + 10, &flow), 0);
	check(&flow.tails, 0);
	check(&flow.returns, 1, 0L);
	flow_release(&flow);
}

static void bounds(void **state)
{
	static const uint8_t code[] = { 0x90, 0xc3 };
	struct flow flow, before;

	memset(&flow, 0x5a, sizeof(flow));
	before = flow;
	assert_int_equal(explore_part(code, 2, BASE, BASE, BASE, &flow), -E2BIG);
	assert_int_equal(explore_part(code, 2, BASE, BASE + 1, BASE, &flow), -E2BIG);
	assert_int_equal(explore_part(code, 2, BASE - 1, BASE, BASE + 2, &flow), -E2BIG);
	assert_int_equal(explore_part(code, 2, BASE + 2, BASE, BASE + 2, &flow), -E2BIG);
	assert_int_equal(explore_part(code, 2, BASE, BASE, BASE + (1 << 20), &flow), -E2BIG);
	/* not readable at all, and not where the entry lies */
	assert_int_equal(explore_part(code, 2, 0x99000, 0x99000, 0x99010, &flow), -EFAULT);
	assert_int_equal(explore_part(code, 2, BASE + 8, BASE, BASE + 16, &flow), -EFAULT);
	assert_memory_equal(&flow, &before, sizeof(flow));
	/* fewer bytes than asked for: the end of a mapping */
	assert_int_equal(explore_part(code, 2, BASE, BASE, BASE + 4096, &flow), 0);
	check(&flow.returns, 1, 1L);
	flow_release(&flow);
}

/* 16 KiB in which every second byte starts a jump: the work stays bounded. */
static void many_branches_end(void **state)
{
	enum { BYTES = 16 * 1024 };
	uint8_t *code = malloc(BYTES);
	struct flow flow;

	for (size_t i = 0; i < BYTES; i += 2)
		memcpy(code + i, "\x74\x00", 2);
	assert_int_equal(explore_part(code, BYTES, BASE, BASE, BASE + BYTES, &flow), 0);
	/* the last one jumps to the byte behind the end */
	check(&flow.tails, 1, (long)BYTES);
	flow_release(&flow);
	free(code);
}

static void sets_of_addresses(void **state)
{
	struct flow_addresses set = { 0 };

	for (taddr_t i = 0; i < 100; i++)
		assert_int_equal(flow_add(&set, i % 40), 0);
	assert_int_equal(set.nr, 40);
	assert_true(flow_has(&set, 39));
	assert_false(flow_has(&set, 40));
	free(set.items);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reallocarray_of_glibc),
		cmocka_unit_test(reallocarray_of_musl),
		cmocka_unit_test(several_returns),
		cmocka_unit_test(calls_are_noted_once),
		cmocka_unit_test(indirect_jumps),
		cmocka_unit_test(conditional_tail_jump),
		cmocka_unit_test(undecodable_path),
		cmocka_unit_test(instruction_cut_by_the_end),
		cmocka_unit_test(nothing_follows_traps),
		cmocka_unit_test(loops_end),
		cmocka_unit_test(backward_out_of_the_function),
		cmocka_unit_test(bounds),
		cmocka_unit_test(many_branches_end),
		cmocka_unit_test(sets_of_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
