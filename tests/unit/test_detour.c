/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Functions made up of a few bytes: which of them may be patched, and the patch there and back. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../tracer/probe/detour.h"

#define BYTES 64

static const struct allocator_function plain = { .name = "malloc", .call = CALL_ALLOC };
static const struct allocator_function throwing = {
	.name = "operator new", .call = CALL_ALLOC, .throws = true,
};

/* Code in this process, and what the file is said to hold. */
static uint8_t *code, file_bytes[BYTES];
static struct module module = { .id = 1, .alive = true };
static struct memory memory;
static struct function functions_room[2];
static struct functions functions = { .items = functions_room };
static struct unwind_map no_map;
static const struct implant implant = { .base = 0x700000000000 };

static ssize_t read_file(const struct memread *mem, taddr_t address, void *buffer, size_t bytes)
{
	uint64_t offset = address - (taddr_t)(uintptr_t)code;

	if (offset >= BYTES)
		return -EFAULT;
	if (bytes > BYTES - offset)
		bytes = BYTES - offset;
	memcpy(buffer, file_bytes + offset, bytes);
	return (ssize_t)bytes;
}

static const struct memread file = { .read = read_file };

static taddr_t at(const void *place)
{
	return (taddr_t)(uintptr_t)place;
}

/* Padded with int3; the file is the same. */
static void write_function(const char *bytes, size_t nr_bytes)
{
	flow_release(&(struct flow){ .returns = functions_room[0].returns,
				     .tails = functions_room[0].tails,
				     .calls = functions_room[0].calls });
	free(functions_room[0].pieces.items);
	memset(code, 0xcc, BYTES);
	memcpy(code, bytes, nr_bytes);
	memcpy(file_bytes, code, BYTES);
	functions_room[0] = (struct function){
		.kind = &plain, .module = &module, .address = at(code), .size_bytes = nr_bytes,
	};
	functions.nr = 1;
	assert_int_equal(function_explore(&functions_room[0], &memory.read, &no_map), 0);
}

#define FUNCTION(bytes) write_function(bytes, sizeof(bytes) - 1)
#define PROLOGUE "\x55\x48\x89\xe5\x41\x54"	/* push %rbp; mov %rsp,%rbp; push %r12 */

static enum detour_refusal plan(struct detour *out)
{
	struct detour unused;

	return detour_plan(&functions, 0, &memory.read, &file, out ? out : &unused);
}

static void test_safe(void **state)
{
	struct detour detour;

	FUNCTION(PROLOGUE "\x90\xc3");
	assert_int_equal(plan(&detour), DETOUR_SAFE);
	assert_int_equal(detour.function, 0);
	assert_int_equal(detour.module, 1);
	assert_int_equal(detour.prologue.address, at(code));
	assert_int_equal(detour.prologue.bytes, 6);
	/* A loop behind what is patched. */
	FUNCTION(PROLOGUE "\x90\xeb\xfd\xc3");
	assert_int_equal(plan(NULL), DETOUR_SAFE);
}

static void test_jump_back_into_the_patch(void **state)
{
	FUNCTION(PROLOGUE "\x90\xeb\xfb\xc3");		/* to push %r12 */
	assert_int_equal(plan(NULL), DETOUR_ENTERED);
	FUNCTION(PROLOGUE "\x74\xf9\xc3");		/* je, to the second instruction */
	assert_int_equal(plan(NULL), DETOUR_ENTERED);
	FUNCTION("\x74\x01\x90\x90\x90\x90\xc3");	/* ahead, within it */
	assert_int_equal(plan(NULL), DETOUR_ENTERED);
}

static void test_another_function_inside(void **state)
{
	FUNCTION(PROLOGUE "\x90\xc3");
	functions_room[1] = (struct function){
		.kind = &plain, .module = &module, .address = at(code) + 4,
	};
	functions.nr = 2;
	assert_int_equal(plan(NULL), DETOUR_ENTERED);
	functions_room[1].address = at(code) + 6;	/* behind it */
	assert_int_equal(plan(NULL), DETOUR_SAFE);
}

static void test_changed_bytes(void **state)
{
	struct detour before = { .function = 7 };

	FUNCTION(PROLOGUE "\x90\xc3");
	file_bytes[0] ^= 1;
	assert_int_equal(plan(&before), DETOUR_CHANGED);
	assert_int_equal(before.function, 7);
	file_bytes[0] ^= 1;
	file_bytes[5] ^= 1;	/* not written over, but moved */
	assert_int_equal(plan(NULL), DETOUR_CHANGED);
	/* Somebody else's jump, which cannot be moved from its place either. */
	FUNCTION("\xe9\x00\x00\x00\x10\x90\xc3");
	memcpy(file_bytes, PROLOGUE, 6);
	assert_int_equal(plan(NULL), DETOUR_CHANGED);
}

static void test_short_functions(void **state)
{
	FUNCTION("\xc3");			/* int3 behind it */
	assert_int_equal(plan(NULL), DETOUR_SAFE);
	FUNCTION("\x31\xc0\xc3");
	assert_int_equal(plan(NULL), DETOUR_SAFE);
	memcpy(code + 3, PROLOGUE, 6);		/* the next function, at once */
	memcpy(file_bytes, code, BYTES);
	assert_int_equal(plan(NULL), DETOUR_UNMOVABLE);
	FUNCTION("\xe9\x10\x00\x00\x00");	/* nothing but a jump */
	assert_int_equal(plan(NULL), DETOUR_SAFE);
}

static void test_unmovable(void **state)
{
	FUNCTION("\xe8\x10\x00\x00\x00\xc3");	/* call */
	assert_int_equal(plan(NULL), DETOUR_UNMOVABLE);
	FUNCTION(PROLOGUE "\x90\xc3");
	functions_room[0].kind = &throwing;
	functions_room[0].throws = true;
	assert_int_equal(plan(NULL), DETOUR_THROWS);
	FUNCTION(PROLOGUE "\x06\xc3");		/* no instruction in 64-bit code */
	assert_int_equal(plan(NULL), DETOUR_UNDECODABLE);
	FUNCTION(PROLOGUE "\x90\xc3");
	functions_room[0].address = 0x1000;
	assert_int_equal(plan(NULL), DETOUR_UNREADABLE);
}

static void placed(struct detour *detour)
{
	taddr_t slot = at(code) + 4096;

	FUNCTION(PROLOGUE "\x90\xc3");
	assert_int_equal(plan(detour), DETOUR_SAFE);
	assert_int_equal(detour_place(detour, &functions_room[0], &memory, slot, &implant), 0);
	assert_int_equal(detour->stub, slot);
	assert_true(detour->copy > slot && detour->end > detour->copy &&
		    detour->end <= slot + ZONE_SLOT_BYTES);
	assert_memory_equal(code, file_bytes, BYTES);
	assert_true(detour_is_zone(&memory.read, slot));
}

static void test_there_and_back(void **state)
{
	struct detour detour;

	placed(&detour);
	assert_int_equal(detour_arm(&detour, &memory), 0);
	assert_int_equal(code[0], 0xe9);
	assert_int_equal(code[5], file_bytes[5]);
	assert_memory_equal(code + 6, file_bytes + 6, BYTES - 6);
	for (taddr_t pc = at(code) + 1; pc < at(code) + BYTES; pc++) {
		taddr_t copy = detour_enter(&detour, pc);

		assert_int_equal(copy != 0, pc == at(code) + 1 || pc == at(code) + 4);
		if (copy)
			assert_int_equal(detour_leave(&detour, copy), pc);
	}
	assert_int_equal(detour_enter(&detour, at(code)), 0);
	assert_int_equal(detour_leave(&detour, detour.end), 0);
	assert_int_equal(memory_undo(&memory), 0);
	assert_memory_equal(code, file_bytes, BYTES);
}

static void test_noted_and_recalled(void **state)
{
	struct agent_inventory_detour noted;
	struct detour detour, recalled;

	placed(&detour);
	detour_note(&detour, &noted);
	assert_int_equal(detour_arm(&detour, &memory), 0);
	assert_int_equal(detour_recall(&noted, &recalled), 0);
	assert_int_equal(detour_leave(&recalled, detour.copy), at(code));
	assert_int_equal(detour_undo(&recalled, &memory), 0);
	assert_memory_equal(code, file_bytes, BYTES);
	/* Undone, or somebody else's bytes by now: left alone. */
	code[0] = 0x90;
	assert_int_equal(detour_undo(&recalled, &memory), 0);
	assert_int_equal(code[0], 0x90);
	memory_forget(&memory, 0, UINT64_MAX);
}

static void test_nonsense_is_not_recalled(void **state)
{
	struct agent_inventory_detour good, bad;
	struct detour detour, recalled;

	placed(&detour);
	detour_note(&detour, &good);
	for (unsigned bytes = 0; bytes < 256; bytes++) {
		bad = good;
		bad.bytes = (uint8_t)bytes;
		assert_int_equal(detour_recall(&bad, &recalled), bytes == good.bytes ? 0 : -EINVAL);
	}
	bad = good;
	memset(bad.original, 0xff, sizeof(bad.original));
	assert_int_equal(detour_recall(&bad, &recalled), -EINVAL);
	bad = good;
	bad.copy += 1ull << 40;		/* out of reach */
	assert_int_equal(detour_recall(&bad, &recalled), -EINVAL);
	/* Random bytes do no harm. */
	srand(1);
	for (int i = 0; i < 100000; i++) {
		for (size_t j = 0; j < sizeof(bad); j++)
			((uint8_t *)&bad)[j] = (uint8_t)rand();
		bad.bytes %= 24;
		bad.copy = bad.address + 0x10000;
		(void)detour_recall(&bad, &recalled);
	}
}

static int setup(void **state)
{
	code = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return code == MAP_FAILED ? -1 : memory_open(&memory, getpid());
}

static int teardown(void **state)
{
	FUNCTION("\xc3");
	free(functions_room[0].returns.items);
	free(functions_room[0].tails.items);
	free(functions_room[0].calls.items);
	free(functions_room[0].pieces.items);
	memory_close(&memory);
	return munmap(code, 8192);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_safe),
		cmocka_unit_test(test_jump_back_into_the_patch),
		cmocka_unit_test(test_another_function_inside),
		cmocka_unit_test(test_changed_bytes),
		cmocka_unit_test(test_short_functions),
		cmocka_unit_test(test_unmovable),
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_noted_and_recalled),
		cmocka_unit_test(test_nonsense_is_not_recalled),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
