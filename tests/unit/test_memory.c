/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads and patches in a child that is seized and stopped: what is patched comes back, in the
 * child and in a copy of it, and memory that has another content by then is left alone.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../tracer/target/memory.h"

#define PAGE 4096

/* Shared by inheritance: both processes have it at the same address. */
static uint8_t *pages;		/* read-only and executable, private: two, then a hole */
static pid_t child;
static struct memory memory;

static uint8_t content(size_t offset)
{
	return (uint8_t)(offset * 31 + 5);
}

static void stop(pid_t pid)
{
	int status;

	assert_int_equal(ptrace(PTRACE_SEIZE, pid, 0, 0), 0);
	assert_int_equal(ptrace(PTRACE_INTERRUPT, pid, 0, 0), 0);
	assert_int_equal(waitpid(pid, &status, __WALL), pid);
	assert_true(WIFSTOPPED(status));
}

/* Two children with the same pages: the second serves as what fork would have made. */
static pid_t start_child(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid)
		for (;;)
			pause();
	stop(pid);
	return pid;
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, __WALL), pid);
}

static int setup(void **state)
{
	pages = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED)
		return -1;
	for (size_t i = 0; i < 2 * PAGE; i++)
		pages[i] = content(i);
	mprotect(pages, 2 * PAGE, PROT_READ | PROT_EXEC);
	munmap(pages + 2 * PAGE, PAGE);
	child = start_child();
	return memory_open(&memory, child);
}

static int teardown(void **state)
{
	memory_close(&memory);
	end_child(child);
	munmap(pages, 2 * PAGE);
	return 0;
}

static taddr_t at(size_t offset)
{
	return (uintptr_t)pages + offset;
}

static bool is_original(pid_t pid, size_t offset, size_t bytes)
{
	struct memory view;
	uint8_t now[64];
	bool same = true;

	assert_int_equal(memory_open(&view, pid), 0);
	assert_true(memread_exact(&view.read, at(offset), now, bytes));
	for (size_t i = 0; i < bytes; i++)
		same &= now[i] == content(offset + i);
	memory_close(&view);
	return same;
}

static void patch(size_t offset, const char *bytes)
{
	uint8_t now[PATCH_BYTES_MAX];

	assert_int_equal(memory_patch(&memory, at(offset), bytes, strlen(bytes)), 0);
	assert_true(memread_exact(&memory.read, at(offset), now, strlen(bytes)));
	assert_memory_equal(now, bytes, strlen(bytes));
}

static void reads(void **state)
{
	uint8_t got[2 * PAGE];

	for (int slow = 0; slow < 2; slow++) {
		memory.slow = slow;
		assert_true(memread_exact(&memory.read, at(0), got, sizeof(got)));
		assert_memory_equal(got, pages, sizeof(got));
		/* as far as it goes */
		assert_int_equal(memory.read.read(&memory.read, at(2 * PAGE - 3), got, 8), 3);
		assert_memory_equal(got, pages + 2 * PAGE - 3, 3);
		assert_true(memory.read.read(&memory.read, at(2 * PAGE), got, 8) < 0);
		assert_true(memory.read.read(&memory.read, 0, got, 8) < 0);
		assert_true(memory.read.read(&memory.read, UINT64_MAX - 3, got, 8) < 0);
		assert_false(memread_exact(&memory.read, at(2 * PAGE - 3), got, 8));
	}
}

static void patched_and_undone(void **state)
{
	patch(100, "\xcc");
	patch(PAGE - 2, "across");	/* two pages */
	patch(200, "0123456789abcdef0123456789abcdef");
	assert_int_equal(memory.patches.nr, 3);
	assert_int_equal(pages[100], content(100));	/* not ours: the child's */
	assert_int_equal(memory_undo(&memory), 0);
	assert_int_equal(memory.patches.nr, 0);
	assert_true(is_original(child, 100, 1));
	assert_true(is_original(child, PAGE - 2, 6));
	assert_true(is_original(child, 200, 32));
	assert_int_equal(memory_undo(&memory), 0);
}

static void last_patch_is_undone_first(void **state)
{
	patch(100, "first");
	patch(102, "second");
	patch(100, "\xcc");
	assert_int_equal(memory_undo(&memory), 0);
	assert_true(is_original(child, 96, 16));
}

static void refused_patches_leave_no_trace(void **state)
{
	uint8_t many[PATCH_BYTES_MAX + 1] = { 0 };

	assert_int_equal(memory_patch(&memory, at(0), many, sizeof(many)), -EINVAL);
	assert_int_equal(memory_patch(&memory, at(2 * PAGE), "\xcc", 1), -EFAULT);
	assert_int_equal(memory_patch(&memory, at(2 * PAGE - 1), "\xcc\xcc", 2), -EFAULT);
	assert_int_equal(memory_patch(&memory, 0, "\xcc", 1), -EFAULT);
	assert_int_equal(memory.patches.nr, 0);
	assert_true(is_original(child, 0, 64));
	assert_true(is_original(child, 2 * PAGE - 8, 8));
}

static void memory_replaced_meanwhile_is_left_alone(void **state)
{
	patch(100, "\xcc");
	patch(200, "patch");
	patch(300, "\xcc");
	/* as if a library had been closed and another one loaded in its place */
	assert_int_equal(memory_write(&memory, at(100), "\x90", 1), 0);
	assert_int_equal(memory_write(&memory, at(200), "other", 5), 0);
	assert_int_equal(memory_undo(&memory), 0);
	{
		uint8_t now[5];

		assert_true(memread_exact(&memory.read, at(100), now, 1));
		assert_int_equal(now[0], 0x90);
		assert_true(memread_exact(&memory.read, at(200), now, 5));
		assert_memory_equal(now, "other", 5);
	}
	assert_true(is_original(child, 300, 1));
}

static void forgotten_ranges_are_left_alone(void **state)
{
	uint8_t now;

	for (size_t offset = 0; offset < 5; offset++)
		patch(offset * 0x100, "\xcc");
	memory_forget(&memory, at(0x100), at(0x300));	/* without its end */
	assert_int_equal(memory.patches.nr, 3);
	memory_forget(&memory, at(0x500), at(0x600));
	memory_forget(&memory, at(0x300), at(0x300));
	assert_int_equal(memory.patches.nr, 3);
	assert_int_equal(memory_undo(&memory), 0);
	for (size_t offset = 0; offset < 5; offset++) {
		assert_true(memread_exact(&memory.read, at(offset * 0x100), &now, 1));
		assert_int_equal(now == 0xcc, offset == 1 || offset == 2);
	}
}

static void undone_in_a_copy(void **state)
{
	pid_t copy = start_child();
	struct memory other;

	patch(100, "\xcc");
	patch(PAGE + 50, "slot");
	/* the copy has what the child has */
	assert_int_equal(memory_open(&other, copy), 0);
	assert_int_equal(memory_write(&other, at(100), "\xcc", 1), 0);
	assert_int_equal(memory_write(&other, at(PAGE + 50), "slot", 4), 0);
	memory_close(&other);
	assert_int_equal(memory_undo_in_child(&memory, copy), 0);
	assert_true(is_original(copy, 100, 1));
	assert_true(is_original(copy, PAGE + 50, 4));
	/* ours stay, and stay known */
	assert_false(is_original(child, 100, 1));
	assert_int_equal(memory.patches.nr, 2);
	/* a copy that is clean already, and one that is gone */
	assert_int_equal(memory_undo_in_child(&memory, copy), 0);
	assert_true(is_original(copy, 100, 1));
	end_child(copy);
	assert_true(memory_undo_in_child(&memory, copy) < 0);
	assert_int_equal(memory_undo(&memory), 0);
	assert_true(is_original(child, 100, 1));
}

static void many_patches(void **state)
{
	for (size_t i = 0; i < 500; i++)
		patch(i * 16, "\xcc");
	assert_int_equal(memory_undo(&memory), 0);
	for (size_t i = 0; i < 2 * PAGE; i += 64)
		assert_true(is_original(child, i, 64));
}

static void a_target_that_is_gone(void **state)
{
	struct memory gone;
	pid_t other = start_child();
	uint8_t byte;

	assert_int_equal(memory_open(&gone, other), 0);
	assert_int_equal(memory_patch(&gone, at(100), "\xcc", 1), 0);
	end_child(other);
	assert_false(memread_exact(&gone.read, at(100), &byte, 1));
	assert_true(memory_patch(&gone, at(200), "\xcc", 1) < 0);
	assert_true(memory_write(&gone, at(200), "\xcc", 1) < 0);
	assert_int_equal(memory_undo(&gone), 0);
	memory_close(&gone);
	assert_true(memory_open(&gone, other) < 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reads),
		TEST(patched_and_undone),
		TEST(last_patch_is_undone_first),
		TEST(refused_patches_leave_no_trace),
		TEST(memory_replaced_meanwhile_is_left_alone),
		TEST(forgotten_ranges_are_left_alone),
		TEST(undone_in_a_copy),
		TEST(many_patches),
		TEST(a_target_that_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
