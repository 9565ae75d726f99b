/* SPDX-License-Identifier: GPL-2.0-or-later */
/* /proc/PID/maps of this very process, with mappings of every form. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../tracer/target/maps.h"

static const struct mapping *find(const struct maps *maps, const void *address)
{
	for (size_t i = 0; i < maps->nr; i++)
		if ((uintptr_t)address >= maps->items[i].start &&
		    (uintptr_t)address < maps->items[i].end)
			return &maps->items[i];
	return NULL;
}

static struct maps own(void)
{
	struct maps maps;

	assert_int_equal(maps_read(&maps, getpid()), 0);
	return maps;
}

static void code_and_stack(void **state)
{
	struct maps maps = own();
	const struct mapping *code = find(&maps, (void *)(uintptr_t)own);
	const struct mapping *stack = find(&maps, &maps);
	char path[4096];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);

	assert_true(length > 0);
	path[length] = '\0';
	assert_non_null(code);
	assert_true(code->executable);
	assert_true(code->inode);
	assert_string_equal(code->path, path);
	assert_non_null(stack);
	assert_false(stack->executable);
	assert_string_equal(stack->path, "[stack]");
	assert_int_equal(stack->inode, 0);
	maps_release(&maps);
	assert_int_equal(maps.nr, 0);
	assert_null(maps.items);
}

static void sorted_and_complete(void **state)
{
	struct maps maps = own();

	assert_true(maps.nr > 8);
	for (size_t i = 0; i < maps.nr; i++) {
		assert_true(maps.items[i].start < maps.items[i].end);
		assert_true(!i || maps.items[i - 1].end <= maps.items[i].start);
		assert_non_null(maps.items[i].path);
	}
	maps_release(&maps);
}

static void memory_without_a_file(void **state)
{
	char *pages = mmap(NULL, 3 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const struct mapping *middle;
	struct maps maps;

	assert_ptr_not_equal(pages, MAP_FAILED);
	assert_int_equal(mprotect(pages + 4096, 4096, PROT_READ | PROT_EXEC), 0);
	maps = own();
	middle = find(&maps, pages + 4096);
	assert_non_null(middle);
	assert_true(middle->executable);
	assert_int_equal(middle->start, (uintptr_t)pages + 4096);
	assert_int_equal(middle->end, (uintptr_t)pages + 2 * 4096);
	assert_string_equal(middle->path, "");
	assert_int_equal(middle->inode, 0);
	assert_false(find(&maps, pages)->executable);
	maps_release(&maps);
	munmap(pages, 3 * 4096);
	maps = own();
	assert_null(find(&maps, pages + 4096));
	maps_release(&maps);
}

/* Blanks, a newline (which the kernel writes as \012), an offset, a file that is deleted. */
static void file_with_an_odd_name(void **state)
{
	char folder[] = "/tmp/test_maps.XXXXXX", path[128];
	const struct mapping *mapping;
	struct stat status;
	struct maps maps;
	char *page;
	int fd;

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/a  b) \n(c", folder);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 3 * 4096), 0);
	assert_int_equal(fstat(fd, &status), 0);
	page = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 2 * 4096);
	assert_ptr_not_equal(page, MAP_FAILED);
	maps = own();
	mapping = find(&maps, page);
	assert_non_null(mapping);
	assert_int_equal(mapping->offset, 2 * 4096);
	assert_int_equal(mapping->inode, status.st_ino);
	assert_memory_equal(mapping->path, folder, strlen(folder));
	assert_string_equal(mapping->path + strlen(folder), "/a  b) \\012(c");
	maps_release(&maps);
	assert_int_equal(unlink(path), 0);
	maps = own();
	mapping = find(&maps, page);
	assert_int_equal(mapping->inode, status.st_ino);
	assert_string_equal(mapping->path + strlen(folder), "/a  b) \\012(c (deleted)");
	maps_release(&maps);
	munmap(page, 4096);
	close(fd);
	rmdir(folder);
}

static void many_mappings(void **state)
{
	enum { NR = 300 };
	char *pages = mmap(NULL, 2 * NR * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t found = 0;
	struct maps maps;

	assert_ptr_not_equal(pages, MAP_FAILED);
	for (size_t i = 0; i < NR; i++)
		assert_int_equal(mprotect(pages + 2 * i * 4096, 4096, PROT_READ), 0);
	maps = own();
	for (size_t i = 0; i < NR; i++)
		found += find(&maps, pages + 2 * i * 4096)->end ==
			 (uintptr_t)pages + (2 * i + 1) * 4096;
	assert_int_equal(found, NR);
	maps_release(&maps);
	munmap(pages, 2 * NR * 4096);
}

static void a_process_that_is_gone(void **state)
{
	pid_t child = fork();
	struct maps maps;
	int error;

	if (!child)
		_exit(0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	error = maps_read(&maps, child);
	assert_true(error == -ENOENT || error == -ESRCH);
	assert_int_equal(maps.nr, 0);
	maps_release(&maps);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(code_and_stack),
		cmocka_unit_test(sorted_and_complete),
		cmocka_unit_test(memory_without_a_file),
		cmocka_unit_test(file_with_an_odd_name),
		cmocka_unit_test(many_mappings),
		cmocka_unit_test(a_process_that_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
