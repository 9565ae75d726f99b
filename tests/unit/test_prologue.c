/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * First instructions of functions, moved: of this C library's allocator, whose copies are
 * called, and of bytes made up for what they must not be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "../../tracer/arch/arch.h"

static uint8_t *page;	/* executable, within reach of the C library */

static int make_page(void **state)
{
	uintptr_t libc = (uintptr_t)malloc & ~4095ul;

	for (uintptr_t place = libc - (64 << 20); place > libc - (1ul << 30); place -= 1 << 20) {
		page = mmap((void *)place, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
		if (page != MAP_FAILED)
			return 0;
	}
	return -1;
}

static void *moved(void *function, struct prologue *prologue)
{
	taddr_t address = (taddr_t)(uintptr_t)function;

	assert_int_equal(prologue_decode(function, PROLOGUE_BYTES_MAX, address, UINT64_MAX,
					 prologue), 0);
	assert_true(prologue->bytes >= ARCH_JUMP_BYTES);
	assert_true(prologue_copy(prologue, (taddr_t)(uintptr_t)page, page) > 0);
	return page;
}

static void test_copies_run(void **state)
{
	struct prologue prologue;
	void *(*my_malloc)(size_t), *(*my_realloc)(void *, size_t);
	void *(*my_memalign)(size_t, size_t);
	void (*my_free)(void *);
	char *block;

	my_malloc = moved((void *)malloc, &prologue);
	block = my_malloc(100);
	assert_non_null(block);
	memset(block, 7, 100);
	my_realloc = moved((void *)realloc, &prologue);
	block = my_realloc(block, 100000);
	assert_int_equal(block[99], 7);
	my_free = moved((void *)free, &prologue);
	my_free(block);
	my_free(NULL); /* takes the branch of the moved jcc */
	my_memalign = moved((void *)aligned_alloc, &prologue); /* rip-relative */
	block = my_memalign(4096, 4096);
	assert_int_equal((uintptr_t)block % 4096, 0);
	free(block);
}

static void test_pcs_move_both_ways(void **state)
{
	struct prologue prologue;
	taddr_t place = (taddr_t)(uintptr_t)page;

	moved((void *)malloc, &prologue);
	assert_int_equal(prologue_to_copy(&prologue, place, prologue.address), prologue.address);
	for (unsigned i = 1; i < prologue.nr; i++) {
		taddr_t original = prologue.instructions[i].address;
		taddr_t copy = prologue_to_copy(&prologue, place, original);

		assert_true(copy > place && copy < place + prologue.copy_bytes);
		assert_int_equal(prologue_to_original(&prologue, place, copy), original);
	}
	assert_int_equal(prologue_to_original(&prologue, place,
					      place + prologue.copy_bytes - ARCH_JUMP_BYTES),
			 prologue.address + prologue.bytes);
	assert_int_equal(prologue_to_original(&prologue, place, place + 1000), 0);
}

static int decode(const char *code, size_t bytes, taddr_t limit)
{
	struct prologue prologue;

	return prologue_decode((const uint8_t *)code, bytes, 0x1000, limit, &prologue);
}

#define DECODE(code) decode(code, sizeof(code) - 1, UINT64_MAX)

static void test_what_cannot_move(void **state)
{
	assert_int_equal(DECODE("\xe8\0\0\0\0\x90"), -ENOTSUP);		/* call */
	assert_int_equal(DECODE("\xe3\x05\x90\x90\x90\x90"), -ENOTSUP);	/* jrcxz */
	assert_int_equal(DECODE("\xff\x15\0\0\0\0"), -ENOTSUP);		/* call *0(%rip) */
	assert_int_equal(DECODE("\x90\x90\x90"), -ENOTSUP);		/* no more bytes */
	assert_int_equal(decode("\x55\x90\x90\x90\x90", 5, 0x1003), -ENOTSUP); /* too short */
	/* A return, then another function: plain, or with its endbr64. */
	assert_int_equal(DECODE("\xc3\x55\x48\x89\xe5"), -ENOTSUP);
	assert_int_equal(DECODE("\xc3\xf3\x0f\x1e\xfa"), -ENOTSUP);
}

static void test_ends_with_padding(void **state)
{
	struct prologue prologue;
	uint8_t copy[PROLOGUE_COPY_MAX];
	/* As glibc's _dl_debug_state: ret, then a nop of ten bytes. */
	const uint8_t code[] = { 0xc3, 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0, 0x90, 0x90 };

	assert_int_equal(prologue_decode(code, sizeof(code), 0x1000, UINT64_MAX, &prologue), 0);
	assert_true(prologue.ends);
	assert_true(prologue_copy(&prologue, 0x9000, copy) > 0);
	assert_int_equal(copy[0], 0xc3);
	/* int3 as padding. */
	assert_int_equal(DECODE("\xeb\x10\xcc\xcc\xcc\xcc"), 0);
}

static void test_branches_reach(void **state)
{
	struct prologue prologue;
	uint8_t copy[PROLOGUE_COPY_MAX];
	const uint8_t code[] = { 0x48, 0x85, 0xff, 0x74, 0x10, 0x90 }; /* test; je +16 */
	int32_t displacement;

	assert_int_equal(prologue_decode(code, sizeof(code), 0x1000, UINT64_MAX, &prologue), 0);
	assert_true(prologue_copy(&prologue, 0x9000, copy) > 0);
	assert_int_equal(copy[3], 0x0f);
	assert_int_equal(copy[4], 0x84);
	memcpy(&displacement, copy + 5, 4);
	assert_int_equal(0x9000 + 9 + displacement, 0x1000 + 5 + 0x10);
	/* Too far away. */
	assert_int_equal(prologue_copy(&prologue, 0x7000000000, copy), -ERANGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copies_run),
		cmocka_unit_test(test_pcs_move_both_ways),
		cmocka_unit_test(test_what_cannot_move),
		cmocka_unit_test(test_ends_with_padding),
		cmocka_unit_test(test_branches_reach),
	};

	return cmocka_run_group_tests(tests, make_page, NULL);
}
