/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Instructions under a breakpoint: entries of real allocators as recorded bytes, each form that is
 * emulated or refused, and copies that are run by this very processor.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "../../tracer/arch/x86_64/displaced.h"

#define ADDRESS 0x7f0000001000ULL
#define GIB (1ULL << 30)
#define NR(array) (sizeof(array) / sizeof((array)[0]))

struct example {
	const char *name;
	const char *bytes;
	size_t nr_bytes;
	enum displaced_kind kind;
	int64_t target;		/* relative to the instruction */
	uint8_t rip_displacement;
};

#define BYTES(text) text, sizeof(text) - 1

/* First instructions on Debian 12: glibc 2.36, jemalloc 5.3.0, tcmalloc (gperftools 2.10),
 * mimalloc 2.0.9, musl 1.2.3. */
static const struct example entries[] = {
	{ "glibc malloc", BYTES("\x41\x54"), DISPLACED_COPY, 0, 0 },
	{ "glibc calloc", BYTES("\x41\x55"), DISPLACED_COPY, 0, 0 },
	{ "glibc realloc", BYTES("\x41\x57"), DISPLACED_COPY, 0, 0 },
	{ "glibc free", BYTES("\x48\x85\xff"), DISPLACED_COPY, 0, 0 },
	{ "glibc reallocarray", BYTES("\x48\x89\xf0"), DISPLACED_COPY, 0, 0 },
	{ "glibc memalign", BYTES("\x80\x3d\x71\x0e\x14\x00\x00"), DISPLACED_COPY, 0, 2 },
	{ "glibc posix_memalign", BYTES("\x80\x3d\x01\x02\x14\x00\x00"), DISPLACED_COPY, 0, 2 },
	{ "jemalloc malloc", BYTES("\x48\x81\xff\x00\x10\x00\x00"), DISPLACED_COPY, 0, 0 },
	{ "jemalloc free", BYTES("\x48\x89\xf8"), DISPLACED_COPY, 0, 0 },
	{ "jemalloc delete", BYTES("\xe9\xeb\xaf\xf5\xff"), DISPLACED_JUMP, 5 - 0xa5015, 0 },
	{ "tcmalloc malloc", BYTES("\x48\x8b\x05\x59\xab\x00\x00"), DISPLACED_COPY, 0, 3 },
	{ "tcmalloc free", BYTES("\x48\x8b\x05\x59\xb1\x1b\x00"), DISPLACED_COPY, 0, 3 },
	{ "tcmalloc posix_memalign", BYTES("\x48\x8d\x46\xff"), DISPLACED_COPY, 0, 0 },
	{ "tcmalloc pvalloc", BYTES("\x53"), DISPLACED_COPY, 0, 0 },
	{ "mimalloc malloc", BYTES("\x48\x8b\x05\x49\xb4\x00\x00"), DISPLACED_COPY, 0, 3 },
	{ "mimalloc calloc", BYTES("\x48\x8b\x15\xc9\xad\x00\x00"), DISPLACED_COPY, 0, 3 },
	{ "mimalloc free", BYTES("\x48\x89\xf9"), DISPLACED_COPY, 0, 0 },
	{ "mimalloc memalign", BYTES("\xe9\xfb\x5a\xff\xff"), DISPLACED_JUMP, 5 - 0xa505, 0 },
	{ "musl malloc", BYTES("\xe9\x6b\x19\x00\x00"), DISPLACED_JUMP, 5 + 0x196b, 0 },
	{ "musl free", BYTES("\xe9\xbb\x0a\x00\x00"), DISPLACED_JUMP, 5 + 0x0abb, 0 },
	{ "musl posix_memalign", BYTES("\x53"), DISPLACED_COPY, 0, 0 },
};

static const struct example forms[] = {
	{ "endbr64", BYTES("\xf3\x0f\x1e\xfa"), DISPLACED_SKIP, 0, 0 },
	{ "nop", BYTES("\x90"), DISPLACED_SKIP, 0, 0 },
	{ "nopw", BYTES("\x66\x2e\x0f\x1f\x84\x00\x00\x00\x00\x00"), DISPLACED_SKIP, 0, 0 },
	{ "jmp rel8", BYTES("\xeb\xfe"), DISPLACED_JUMP, 0, 0 },
	{ "bnd jmp rel32", BYTES("\xf2\xe9\x10\x00\x00\x00"), DISPLACED_JUMP, 0x16, 0 },
	{ "call rel32", BYTES("\xe8\x00\x01\x00\x00"), DISPLACED_CALL, 0x105, 0 },
	{ "call next", BYTES("\xe8\x00\x00\x00\x00"), DISPLACED_CALL, 5, 0 },
	{ "ret", BYTES("\xc3"), DISPLACED_RETURN, 0, 0 },
	{ "rep ret", BYTES("\xf3\xc3"), DISPLACED_RETURN, 0, 0 },
	{ "bnd ret", BYTES("\xf2\xc3"), DISPLACED_RETURN, 0, 0 },
	{ "je rel8", BYTES("\x74\x10"), DISPLACED_BRANCH, 0x12, 0 },
	{ "je rel32", BYTES("\x0f\x84\xbf\x00\x00\x00"), DISPLACED_BRANCH, 6 + 0xbf, 0 },
	{ "jne back", BYTES("\x75\x80"), DISPLACED_BRANCH, 2 - 0x80, 0 },
	{ "lea rip", BYTES("\x4c\x8d\x3d\x01\x00\x00\x00"), DISPLACED_COPY, 0, 3 },
	{ "cmpl imm32 rip", BYTES("\x81\x3d\x00\x01\x00\x00\x78\x56\x34\x12"), DISPLACED_COPY, 0, 2 },
	{ "fs load", BYTES("\x64\x48\x8b\x04\x25\x28\x00\x00\x00"), DISPLACED_COPY, 0, 0 },
	{ "fs rip", BYTES("\x64\x48\x8b\x05\x10\x00\x00\x00"), DISPLACED_COPY, 0, 4 },
	{ "sub rsp", BYTES("\x48\x83\xec\x18"), DISPLACED_COPY, 0, 0 },
	{ "ud2", BYTES("\x0f\x0b"), DISPLACED_COPY, 0, 0 },
	{ "jmp register", BYTES("\xff\xe0"), DISPLACED_LEAVE, 0, 0 },
	{ "notrack jmp register", BYTES("\x3e\x41\xff\xe3"), DISPLACED_LEAVE, 0, 0 },
	{ "jmp memory", BYTES("\xff\x25\x10\x00\x00\x00"), DISPLACED_LEAVE, 0, 2 },
	{ "bnd jmp memory", BYTES("\xf2\xff\x25\x10\x00\x00\x00"), DISPLACED_LEAVE, 0, 3 },
};

static const struct {
	const char *name, *bytes;
	size_t nr_bytes;
	int error;
} refused[] = {
	{ "loop", BYTES("\xe2\xfe"), -ENOTSUP },
	{ "loope", BYTES("\xe1\xfe"), -ENOTSUP },
	{ "loopne", BYTES("\xe0\xfe"), -ENOTSUP },
	{ "jrcxz", BYTES("\xe3\xfe"), -ENOTSUP },
	{ "syscall", BYTES("\x0f\x05"), -ENOTSUP },
	{ "sysenter", BYTES("\x0f\x34"), -ENOTSUP },
	{ "int3", BYTES("\xcc"), -ENOTSUP },
	{ "int 0x80", BYTES("\xcd\x80"), -ENOTSUP },
	{ "hlt", BYTES("\xf4"), -ENOTSUP },
	{ "jmp far memory", BYTES("\xff\x2d\x10\x00\x00\x00"), -ENOTSUP },
	{ "call register", BYTES("\xff\xd0"), -ENOTSUP },
	{ "call memory", BYTES("\xff\x15\x10\x00\x00\x00"), -ENOTSUP },
	{ "ret imm16", BYTES("\xc2\x08\x00"), -ENOTSUP },
	{ "iretq", BYTES("\x48\xcf"), -ENOTSUP },
	{ "xbegin", BYTES("\xc7\xf8\x00\x00\x00\x00"), -ENOTSUP },
	{ "push es", BYTES("\x06"), -EINVAL },
	{ "cut short", BYTES("\x48\x8b\x05\x59\xab"), -EINVAL },
	{ "nothing", BYTES(""), -EINVAL },
};

static void check_examples(const struct example *examples, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		const struct example *e = &examples[i];
		uint8_t code[32];
		struct displaced got;

		memset(code, 0x90, sizeof(code));
		memcpy(code, e->bytes, e->nr_bytes);
		if (displaced_decode(code, sizeof(code), ADDRESS, &got))
			fail_msg("%s: refused", e->name);
		if (got.kind != e->kind || got.length != e->nr_bytes ||
		    got.rip_displacement != e->rip_displacement || got.address != ADDRESS ||
		    (e->kind >= DISPLACED_JUMP && e->kind <= DISPLACED_CALL &&
		     got.target != ADDRESS + (uint64_t)e->target))
			fail_msg("%s: kind %d, length %d, displacement at %d, target %llx", e->name,
				 got.kind, got.length, got.rip_displacement,
				 (unsigned long long)got.target);
		assert_memory_equal(got.bytes, e->bytes, e->nr_bytes);
	}
}

static void entries_of_real_allocators(void **state)
{
	check_examples(entries, NR(entries));
}

static void every_form(void **state)
{
	check_examples(forms, NR(forms));
}

static void refused_ones_leave_the_output_alone(void **state)
{
	for (size_t i = 0; i < NR(refused); i++) {
		struct displaced got, before;
		int error;

		memset(&got, 0x5a, sizeof(got));
		before = got;
		error = displaced_decode((const uint8_t *)refused[i].bytes, refused[i].nr_bytes,
					 ADDRESS, &got);
		if (error != refused[i].error)
			fail_msg("%s: %d instead of %d", refused[i].name, error, refused[i].error);
		assert_memory_equal(&got, &before, sizeof(got));
	}
}

static struct displaced decoded(const char *bytes, size_t nr_bytes, taddr_t address)
{
	struct displaced displaced;

	assert_int_equal(displaced_decode((const uint8_t *)bytes, nr_bytes, address, &displaced), 0);
	return displaced;
}

static void plain_copy_jumps_back(void **state)
{
	struct displaced push = decoded(BYTES("\x41\x54"), ADDRESS);
	uint8_t code[DISPLACED_SLOT_MAX];

	assert_int_equal(displaced_copy(&push, ADDRESS + 0x1000, code), 7);
	/* push %r12; jmp to the instruction after it: -0x1000 - 5 */
	assert_memory_equal(code, "\x41\x54\xe9\xfb\xef\xff\xff", 7);
}

static void rip_relative_operand_moves_along(void **state)
{
	struct displaced load = decoded(BYTES("\x48\x8b\x05\x59\xab\x00\x00"), ADDRESS);
	uint8_t code[DISPLACED_SLOT_MAX];
	int32_t displacement;

	assert_int_equal(displaced_copy(&load, ADDRESS - 0x2000, code), 12);
	memcpy(&displacement, code + 3, 4);
	assert_int_equal(displacement, 0xab59 + 0x2000);
	/* the immediate behind the displacement stays as it is */
	load = decoded(BYTES("\x80\x3d\x71\x0e\x14\x00\x5a"), ADDRESS);
	assert_int_equal(displaced_copy(&load, ADDRESS + 0x2000, code), 12);
	memcpy(&displacement, code + 2, 4);
	assert_int_equal(displacement, 0x140e71 - 0x2000);
	assert_int_equal(code[6], 0x5a);
}

static void reach_of_a_rip_relative_copy(void **state)
{
	/* lea 0x7ffffff0(%rip): 15 bytes down is the last place that reaches it */
	struct displaced lea = decoded(BYTES("\x48\x8d\x05\xf0\xff\xff\x7f"), ADDRESS);
	uint8_t code[DISPLACED_SLOT_MAX];

	assert_true(displaced_copy(&lea, ADDRESS - 15, code) > 0);
	assert_int_equal(displaced_copy(&lea, ADDRESS - 16, code), -ERANGE);
	assert_true(displaced_copy(&lea, ADDRESS + GIB, code) > 0);
	lea = decoded(BYTES("\x48\x8d\x05\x00\x00\x00\x80"), ADDRESS);
	assert_true(displaced_copy(&lea, ADDRESS, code) > 0);
	assert_int_equal(displaced_copy(&lea, ADDRESS + 1, code), -ERANGE);
	assert_int_equal(displaced_copy(&lea, ADDRESS + 8 * GIB, code), -ERANGE);
}

static void far_copy_jumps_through_memory(void **state)
{
	struct displaced push = decoded(BYTES("\x41\x54"), ADDRESS);
	uint8_t code[DISPLACED_SLOT_MAX];
	uint64_t back;

	assert_int_equal(displaced_copy(&push, ADDRESS - 4 * GIB, code), 2 + 14);
	assert_memory_equal(code, "\x41\x54\xff\x25\0\0\0\0", 8);
	memcpy(&back, code + 8, 8);
	assert_int_equal(back, ADDRESS + 2);
	/* Exactly as far as rel32 reaches, and one further. */
	assert_int_equal(displaced_copy(&push, ADDRESS + 2 * GIB - 5, code), 7);
	assert_int_equal(displaced_copy(&push, ADDRESS + 2 * GIB - 4, code), 16);
	assert_int_equal(displaced_copy(&push, ADDRESS - 2 * GIB - 4, code), 7);
	assert_int_equal(displaced_copy(&push, ADDRESS - 2 * GIB - 5, code), 16);
}

/* A page that can be written and run: `near` bytes from it lies another one. */
static uint8_t *map_code(void *wanted)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | (wanted ? MAP_FIXED_NOREPLACE : 0);
	void *page = mmap(wanted, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, flags, -1, 0);

	assert_ptr_not_equal(page, MAP_FAILED);
	return page;
}

/* setcc, asked of the processor itself: push %rdi; popf; setcc %al; movzbl %al,%eax; ret */
static void all_conditions_as_the_processor_sees_them(void **state)
{
	static const unsigned bits[] = { 0, 2, 6, 7, 11 };	/* CF PF ZF SF OF */
	uint8_t *page = map_code(NULL);

	for (unsigned condition = 0; condition < 16; condition++) {
		uint8_t branch[] = { (uint8_t)(0x70 | condition), 0x10 };
		uint8_t wide[] = { 0x0f, (uint8_t)(0x80 | condition), 0, 1, 0, 0 };
		struct displaced jcc = decoded((char *)branch, sizeof(branch), ADDRESS);
		struct displaced jcc_wide = decoded((char *)wide, sizeof(wide), ADDRESS);
		bool taken[2] = { false };

		memcpy(page, "\x57\x9d\x0f\x90\xc0\x0f\xb6\xc0\xc3", 9);
		page[3] = (uint8_t)(0x90 | condition);
		assert_int_equal(jcc_wide.condition, condition);
		for (unsigned combination = 0; combination < 32; combination++) {
			uint64_t flags = 2 | 1 << 9;
			bool native;

			for (unsigned i = 0; i < NR(bits); i++)
				flags |= (uint64_t)(combination >> i & 1) << bits[i];
			native = ((int (*)(uint64_t))(uintptr_t)page)(flags);
			assert_int_equal(displaced_taken(&jcc, flags), native);
			assert_int_equal(displaced_taken(&jcc_wide, flags), native);
			taken[native] = true;
		}
		assert_true(taken[0] && taken[1]);
	}
	munmap(page, 4096);
}

/*
 * function: the instruction, then `rest`; its data 0x800 bytes behind it.  The copy runs in
 * `slots`, with an int3 over the original, which would end this program if it were run.
 */
static uint64_t run_copy(uint8_t *code, uint8_t *slots, const char *bytes, size_t nr_bytes,
			 const char *rest, size_t nr_rest, uint64_t a, uint64_t b)
{
	struct displaced displaced = decoded(bytes, nr_bytes, (uintptr_t)code);
	ssize_t length;

	memcpy(code, bytes, nr_bytes);
	memcpy(code + nr_bytes, rest, nr_rest);
	code[0] = ARCH_BREAKPOINT;
	assert_int_equal(displaced.kind, DISPLACED_COPY);
	length = displaced_copy(&displaced, (uintptr_t)slots, slots);
	assert_true(length > (ssize_t)nr_bytes && length <= DISPLACED_SLOT_MAX);
	return ((uint64_t (*)(uint64_t, uint64_t))(uintptr_t)slots)(a, b);
}

static void run_all_copies(uint8_t *code, uint8_t *slots, bool near)
{
	uint64_t data = 0x1122334455667788;

	/* push %rdi | pop %rax; ret */
	assert_int_equal(run_copy(code, slots, BYTES("\x57"), BYTES("\x58\xc3"), 7, 8), 7);
	/* lea -1(%rsi),%rax | ret */
	assert_int_equal(run_copy(code, slots, BYTES("\x48\x8d\x46\xff"), BYTES("\xc3"), 7, 8), 7);
	/* cmp $0x1000,%rdi | setb %al; movzbl %al,%eax; ret: flags survive the way back */
	for (uint64_t size = 0xfff; size <= 0x1000; size++)
		assert_int_equal(run_copy(code, slots, BYTES("\x48\x81\xff\x00\x10\x00\x00"),
					  BYTES("\x0f\x92\xc0\x0f\xb6\xc0\xc3"), size, 0),
				 size < 0x1000);
	if (!near)
		return;
	memcpy(code + 0x800, &data, sizeof(data));
	/* mov 0x7f9(%rip),%rax | ret */
	assert_int_equal(run_copy(code, slots, BYTES("\x48\x8b\x05\xf9\x07\x00\x00"), BYTES("\xc3"),
				  0, 0), data);
	/* cmpb $0x88,0x7f9(%rip) | sete %al; movzbl %al,%eax; ret */
	assert_int_equal(run_copy(code, slots, BYTES("\x80\x3d\xf9\x07\x00\x00\x88"),
				  BYTES("\x0f\x94\xc0\x0f\xb6\xc0\xc3"), 0, 0), 1);
	/* lea 0x7f9(%rip),%rax | ret */
	assert_int_equal(run_copy(code, slots, BYTES("\x48\x8d\x05\xf9\x07\x00\x00"), BYTES("\xc3"),
				  0, 0), (uintptr_t)code + 0x800);
}

static void copies_do_what_the_original_did(void **state)
{
	uint8_t *code = map_code(NULL);

	run_all_copies(code, code + 0xc00, true);
	run_all_copies(code + 0x100, code, true);
	munmap(code, 4096);
}

static void far_copies_do_what_the_original_did(void **state)
{
	uint8_t *code = map_code(NULL);
	uint8_t *slots = map_code((void *)((uintptr_t)code - 64 * GIB));

	run_all_copies(code, slots, false);
	munmap(slots, 4096);
	munmap(code, 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_of_real_allocators),
		cmocka_unit_test(every_form),
		cmocka_unit_test(refused_ones_leave_the_output_alone),
		cmocka_unit_test(plain_copy_jumps_back),
		cmocka_unit_test(rip_relative_operand_moves_along),
		cmocka_unit_test(reach_of_a_rip_relative_copy),
		cmocka_unit_test(far_copy_jumps_through_memory),
		cmocka_unit_test(all_conditions_as_the_processor_sees_them),
		cmocka_unit_test(copies_do_what_the_original_did),
		cmocka_unit_test(far_copies_do_what_the_original_did),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
