/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The memory of a process that is held, copied: all that it has changed, and nothing that it has not. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "../../tracer/scan/capture.h"
#include "held_child.h"

#define PAGE 4096ul
#define LARGE (8ul << 20)
#define SPARSE (1ul << 36)

/* Mapped before the fork: the child has them at the same places, with content of its own. */
static struct {
	uint64_t *large, *sparse, *shared, *sealed, *file, *hidden;
} places;
static uint64_t global = 1;

static void *map(size_t bytes, int flags, int fd)
{
	void *place = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);

	assert_ptr_not_equal(place, MAP_FAILED);
	return place;
}

static int setup_places(void **state)
{
	char path[] = "/tmp/test_capture.XXXXXX", page[PAGE] = "as in the file";
	int fd = mkstemp(path);

	if (setup(state) || fd < 0 || unlink(path))
		return -1;
	for (unsigned i = 0; i < 4; i++)
		if (write(fd, page, sizeof(page)) != sizeof(page))
			return -1;
	places.large = map(LARGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	places.sparse = map(SPARSE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
	places.shared = map(4 * PAGE, MAP_SHARED | MAP_ANONYMOUS, -1);
	places.sealed = map(2 * PAGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	places.hidden = map(2 * PAGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	places.file = map(4 * PAGE, MAP_PRIVATE, fd);
	close(fd);
	return 0;
}

static int changes(void)
{
	global = 2;
	for (size_t i = 0; i < LARGE / 8; i++)
		places.large[i] = i * 3;
	for (size_t i = 0; i < 3; i++)
		places.sparse[i * (SPARSE / 32)] = 100 + i;
	places.shared[2 * PAGE / 8] = 200;
	places.sealed[0] = 300;
	mprotect(places.sealed, 2 * PAGE, PROT_READ);
	places.hidden[0] = 400;
	mprotect(places.hidden, 2 * PAGE, PROT_NONE);
	places.file[PAGE / 8] = 500;
	(void)*(volatile uint64_t *)&places.file[2 * PAGE / 8];
	return waits();
}

static void check_word(const struct capture *capture, const uint64_t *place, uint64_t wanted)
{
	uint64_t word;

	if (!space_word(&capture->space, (uintptr_t)place, &word))
		fail_msg("%p: not there", (const void *)place);
	assert_int_equal(word, wanted);
}

static void check_missing(const struct capture *capture, const uint64_t *place)
{
	uint64_t word;

	assert_false(space_word(&capture->space, (uintptr_t)place, &word));
}

static void everything_that_it_changed(void **state)
{
	pid_t pid = start(changes, 1);
	struct process *process = seize(pid);
	struct capture capture;

	assert_int_equal(capture_prepare(&capture, &process->memory, NULL), 0);
	hold_all(process, false);
	assert_int_equal(capture_take(&capture, &process->memory), 0);
	check_word(&capture, &global, 2);
	for (size_t i = 0; i < LARGE / 8; i++)
		check_word(&capture, &places.large[i], i * 3);
	for (size_t i = 0; i < 3; i++)
		check_word(&capture, &places.sparse[i * (SPARSE / 32)], 100 + i);
	check_missing(&capture, &places.sparse[PAGE]);
	check_word(&capture, &places.shared[2 * PAGE / 8], 200);
	check_word(&capture, &places.sealed[0], 300);
	check_missing(&capture, &places.sealed[PAGE / 8]);
	check_missing(&capture, &places.hidden[0]);
	check_word(&capture, &places.file[PAGE / 8], 500);
	check_missing(&capture, &places.file[0]);
	check_missing(&capture, &places.file[2 * PAGE / 8]);
	assert_int_equal(capture.unread_bytes, 0);
	assert_true(capture.nr_bytes >= LARGE && capture.nr_bytes < 16 * LARGE);
	capture_release(&capture);
	finish(process, STOP_EXITED, 7);
}

static bool has_page(const struct page_runs *runs, taddr_t page)
{
	for (size_t i = 0; i < runs->nr; i++)
		if (page >= runs->items[i].start && page < runs->items[i].end)
			return true;
	return false;
}

static void check_same_pages(const struct process *process, int fd, const uint64_t *place)
{
	const struct mapping *mapping;
	struct page_runs runs = { 0 }, by_pages = { 0 };
	uint64_t words[PAGE / 8];
	struct maps maps;

	assert_int_equal(maps_of(&maps, &process->memory), 0);
	mapping = maps_find(&maps, (uintptr_t)place);
	assert_int_equal(resident_find(fd, mapping, &runs), 0);
	assert_int_equal(resident_find_by_pages(fd, mapping, &by_pages), 0);
	assert_true(by_pages.nr > 0);
	for (taddr_t page = mapping->start; page < mapping->end; page += PAGE) {
		if (has_page(&runs, page) == has_page(&by_pages, page))
			continue;
		assert_true(has_page(&by_pages, page));
		assert_true(memread_exact(&process->memory.read, page, words, PAGE));
		for (size_t i = 0; i < PAGE / 8; i++)
			assert_int_equal(words[i], 0);
	}
	page_runs_release(&runs);
	page_runs_release(&by_pages);
	maps_release(&maps);
}

/* Kernels before 6.7 tell the same, in another way. */
static void page_by_page(void **state)
{
	pid_t pid = start(changes, 1);
	struct process *process = hold(pid);
	int fd = resident_open(pid);

	check_same_pages(process, fd, places.large);
	check_same_pages(process, fd, places.shared);
	check_same_pages(process, fd, places.sealed);
	check_same_pages(process, fd, places.file);
	check_same_pages(process, fd, &global);
	close(fd);
	finish(process, STOP_EXITED, 7);
}

/* More than was there when room was made for it. */

static int grows(void)
{
	wait_to_go(&shared->handlers_go);
	memset(places.large, 1, LARGE);
	memset(places.sparse, 1, 16 * LARGE);
	return waits();
}

static void what_came_since(void **state)
{
	pid_t pid = start(grows, 1);
	struct process *process = seize(pid);
	struct capture capture;

	assert_int_equal(capture_prepare(&capture, &process->memory, NULL), 0);
	shared->handlers_go = 1;
	wait_for(2);
	hold_all(process, false);
	assert_int_equal(capture_take(&capture, &process->memory), 0);
	check_word(&capture, &places.large[LARGE / 8 - 1], 0x0101010101010101);
	check_word(&capture, &places.sparse[16 * LARGE / 8 - 1], 0x0101010101010101);
	capture_release(&capture);
	finish(process, STOP_EXITED, 7);
}

/* Its memory is gone when it is to be copied. */
static void killed_while_held(void **state)
{
	pid_t pid = start(changes, 1);
	struct process *process = seize(pid);
	struct capture capture;

	assert_int_equal(capture_prepare(&capture, &process->memory, NULL), 0);
	hold_all(process, false);
	assert_int_equal(kill(pid, SIGKILL), 0);
	process_release(process);
	while (process->threads.nr)
		next(process);
	assert_true(capture_take(&capture, &process->memory) < 0);
	await_end(process, STOP_KILLED, SIGKILL);
}

/* Where process_vm_readv is refused. */
static void the_slow_way(void **state)
{
	pid_t pid = start(changes, 1);
	struct process *process = hold(pid);
	struct capture capture;

	process->memory.slow = true;
	assert_int_equal(capture_prepare(&capture, &process->memory, NULL), 0);
	assert_int_equal(capture_take(&capture, &process->memory), 0);
	check_word(&capture, &global, 2);
	check_word(&capture, &places.large[LARGE / 8 - 1], (LARGE / 8 - 1) * 3);
	check_word(&capture, &places.file[PAGE / 8], 500);
	assert_int_equal(capture.unread_bytes, 0);
	capture_release(&capture);
	finish(process, STOP_EXITED, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_that_it_changed),
		cmocka_unit_test(page_by_page),
		cmocka_unit_test(what_came_since),
		cmocka_unit_test(killed_while_held),
		cmocka_unit_test(the_slow_way),
	};

	return cmocka_run_group_tests_name("capture", tests, setup_places, teardown);
}
