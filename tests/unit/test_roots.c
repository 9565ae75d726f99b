/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What of a process's memory counts as roots, from a table of mappings; and with its own threads,
 * of which one has ended, from this very process.
 */
#include <asm/prctl.h>
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../tracer/scan/capture.h"
#include "../../tracer/scan/roots.h"

#define PAGE 4096ul

enum { DATA, BSS, HEAP, SHARED, GUARD, LIVE, GUARD2, DEAD, ALONE, STACK, NR };

static struct mapping mappings[NR] = {
	[DATA] = { .start = 0x1000, .end = 0x3000, .readable = true, .writable = true, .inode = 7,
		   .path = "/bin/x" },
	[BSS] = { .start = 0x3000, .end = 0x4000, .readable = true, .writable = true, .path = "" },
	[HEAP] = { .start = 0x10000, .end = 0x20000, .readable = true, .writable = true,
		   .path = "[heap]" },
	[SHARED] = { .start = 0x20000, .end = 0x22000, .readable = true, .writable = true,
		     .shared = true, .inode = 9, .path = "/dev/zero (deleted)" },
	[GUARD] = { .start = 0x30000, .end = 0x31000, .path = "" },
	[LIVE] = { .start = 0x31000, .end = 0x39000, .readable = true, .writable = true,
		   .path = "" },
	[GUARD2] = { .start = 0x39000, .end = 0x3a000, .path = "" },
	[DEAD] = { .start = 0x3a000, .end = 0x42000, .readable = true, .writable = true,
		   .path = "" },
	[ALONE] = { .start = 0x50000, .end = 0x58000, .readable = true, .writable = true,
		    .path = "" },
	[STACK] = { .start = 0x70000, .end = 0x80000, .readable = true, .writable = true,
		    .path = "[stack]" },
};
static const struct maps maps = { .items = mappings, .nr = NR };

static uint64_t page[PAGE / 8], words[3];
static struct roots_thread threads[2];
static struct roots roots;
static struct space space;

static int setup(void **state)
{
	const struct space_range range = { 0x41000, 0x42000, (void *)page };
	uint64_t *descriptor = page + (PAGE - 0x900) / 8;

	memset(page, 0, sizeof(page));
	descriptor[0] = descriptor[2] = 0x42000 - 0x900;
	threads[0] = (struct roots_thread){ .tid = 1, .sp = 0x7e000, .thread_pointer = 0x1800 };
	threads[1] = (struct roots_thread){ .tid = 2, .sp = 0x38000, .thread_pointer = 0x38700,
					    .words = words, .nr_words = 3 };
	space_init(&space);
	return space_add(&space, &range);
}

static int teardown(void **state)
{
	roots_release(&roots);
	space_deinit(&space);
	return 0;
}

static void find(void)
{
	static const struct span heap[] = { { 0x10100, 0x1f000 }, { 0x52000, 0x53000 } };
	const struct roots_input input = {
		.space = &space, .maps = &maps, .threads = threads, .nr_threads = 2, .heap = heap,
		.nr_heap = 2,
	};

	assert_int_equal(roots_find(&input, &roots), 0);
}

static bool covers(taddr_t address)
{
	for (size_t i = 0; i < roots.nr; i++)
		if (address >= roots.items[i].start && address < roots.items[i].end)
			return true;
	return false;
}

static const struct root_owner *owner_of(taddr_t address)
{
	for (size_t i = 0; i < roots.nr; i++)
		if (address >= roots.items[i].start && address < roots.items[i].end)
			return &roots.owners.items[roots.items[i].owner];
	fail_msg("%#lx is in no root", (unsigned long)address);
	return NULL;
}

static void test_all_but_the_heap(void **state)
{
	find();
	assert_true(covers(0x1000) && covers(0x3fff));
	assert_true(covers(0x10000) && covers(0x100ff) && covers(0x1f000) && covers(0x1ffff));
	assert_false(covers(0x10100));
	assert_false(covers(0x1efff));
	assert_true(covers(0x20000));
	assert_true(covers(0x50000) && covers(0x51fff) && covers(0x53000) && covers(0x57fff));
	assert_false(covers(0x52800));
	assert_false(covers(0x30800));
	assert_int_equal(owner_of(0x3800)->kind, ROOT_MODULE);
	assert_int_equal(owner_of(0x3800)->mapping, BSS);
	assert_int_equal(owner_of(0x20000)->kind, ROOT_OTHER);
	assert_int_equal(owner_of(0x7ff00)->kind, ROOT_STACK);
	assert_int_equal(owner_of(0x7ff00)->tid, 1);
	assert_int_equal(owner_of(0x38ff0)->tid, 2);
}

static bool trusts(taddr_t address)
{
	for (size_t i = 0; i < roots.nr; i++)
		if (address >= roots.items[i].start && address < roots.items[i].end)
			return roots.items[i].keeps_by_insides;
	return false;
}

/* Its data and the .bss behind it, and nobody else's. */
static void test_data_of_the_loader(void **state)
{
	static const struct {
		char *path;
		bool is_loader;
	} files[] = {
		{ "/lib64/ld-linux-x86-64.so.2", true }, { "/lib/ld-2.31.so", true },
		{ "/lib/ld-musl-x86_64.so.1", false }, { "/usr/bin/ld-linux/x", false },
	};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		mappings[DATA].path = files[i].path;
		find();
		mappings[DATA].path = "/bin/x";
		assert_int_equal(trusts(0x1000), files[i].is_loader);
		assert_int_equal(trusts(0x3fff), files[i].is_loader);
		assert_false(trusts(0x10000));
		assert_false(trusts(0x20000));
		roots_release(&roots);
	}
}

static void test_registers(void **state)
{
	unsigned nr = 0;

	find();
	for (size_t i = 0; i < roots.nr; i++) {
		const struct root_owner *owner = &roots.owners.items[roots.items[i].owner];

		if (owner->kind != ROOT_REGISTERS || owner->tid != 2)
			continue;
		assert_ptr_equal(roots.items[i].words, words);
		assert_int_equal(roots.items[i].nr_words, 3);
		nr++;
	}
	assert_int_equal(nr, 1);
}

static void test_below_the_stack_pointer(void **state)
{
	find();
	assert_true(covers(0x7e000 - 128) && covers(0x7ffff));
	assert_false(covers(0x7e000 - 129));
	assert_true(covers(0x38000 - 128) && covers(0x38fff));
	assert_false(covers(0x38000 - 136));
}

/* Nothing is left out where a mapping may be more than one stack. */
static void test_stacks_that_are_not_alone(void **state)
{
	threads[1].thread_pointer = 0x57000;	/* on a signal's stack */
	find();
	assert_true(covers(0x31000) && covers(0x50000));
	roots_release(&roots);
	threads[1].thread_pointer = 0x38700;
	threads[0].thread_pointer = 0x34700;	/* two of them without a guard */
	find();
	assert_true(covers(0x31000));
	roots_release(&roots);
	threads[0].thread_pointer = 0x1800;
	mappings[GUARD].readable = true;
	find();
	assert_true(covers(0x31000));
	mappings[GUARD].readable = false;
}

static void test_stacks_of_dead_threads(void **state)
{
	uint64_t *descriptor = page + (PAGE - 0x900) / 8;

	find();
	assert_false(covers(0x3a000));
	assert_false(covers(0x41fff));
	roots_release(&roots);
	descriptor[720 / 8] = 77;
	find();
	assert_true(covers(0x3a000) && covers(0x41fff));
	roots_release(&roots);
	descriptor[720 / 8] = 0xffffffff;
	find();
	assert_false(covers(0x3a000));
	roots_release(&roots);
	descriptor[2]++;
	find();
	assert_true(covers(0x3a000));
}

static void test_vector_of_thread_local_storage(void **state)
{
	static uint64_t header[2] = { 0, 0x7f00000010 };
	const struct space_range range = { 0x51000, 0x51010, (void *)header };
	unsigned nr = 0;

	assert_int_equal(space_add(&space, &range), 0);
	threads[0].thread_pointer = 0x51000;
	find();
	for (size_t i = 0; i < roots.nr; i++)
		if (roots.owners.items[roots.items[i].owner].kind == ROOT_THREAD) {
			assert_int_equal(roots.items[i].nr_words, 1);
			assert_int_equal(*roots.items[i].words, 0x7f00000000);
			nr++;
		}
	assert_int_equal(nr, 1);
}

/* glibc as it is here: where this process's threads have their stacks, and what became of one. */
static void *thread_pointer_of_mine(void *out)
{
	syscall(SYS_arch_prctl, ARCH_GET_FS, out);
	return NULL;
}

static void test_real_threads(void **state)
{
	struct roots_thread live = { .tid = getpid() };
	struct roots_input input = { .threads = &live, .nr_threads = 1 };
	const struct mapping *mapping;
	struct capture capture;
	struct memory memory;
	uint64_t dead = 0;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, thread_pointer_of_mine, &dead), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	thread_pointer_of_mine(&live.thread_pointer);
	live.sp = (uintptr_t)__builtin_frame_address(0);
	assert_int_equal(memory_open(&memory, getpid()), 0);
	assert_int_equal(capture_prepare(&capture, &memory, NULL), 0);
	assert_int_equal(capture_take(&capture, &memory), 0);
	input.space = &capture.space;
	input.maps = &capture.maps;
	assert_int_equal(roots_find(&input, &roots), 0);
	mapping = maps_find(&capture.maps, dead);
	assert_non_null(mapping);
	assert_true(mapping->end - mapping->start >= (taddr_t)PTHREAD_STACK_MIN);
	assert_false(covers(dead));
	assert_true(covers(live.sp));
	assert_false(covers(live.sp - 4096));
	assert_true(covers((uintptr_t)&roots));
	capture_release(&capture);
	memory_close(&memory);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(all_but_the_heap),
		TEST(data_of_the_loader),
		TEST(registers),
		TEST(below_the_stack_pointer),
		TEST(stacks_that_are_not_alone),
		TEST(stacks_of_dead_threads),
		TEST(vector_of_thread_local_storage),
		TEST(real_threads),
	};

	return cmocka_run_group_tests_name("roots", tests, NULL, NULL);
}
