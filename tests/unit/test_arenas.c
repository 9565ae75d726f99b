/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The walk of glibc's heap, in children of ours that keep a list of what they have allocated and
 * freed: all that is on it is found, with its size, and nothing that was freed.
 */
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "../../tracer/scan/arenas.h"
#include "../../tracer/scan/capture.h"
#include "held_child.h"

#define NR_MOST 60000u
#define THREADS_MOST 8u

#if defined(__SANITIZE_ADDRESS__)
#define OTHER_MALLOC "AddressSanitizer has a malloc of its own"
#endif

/* Shared with the child.  A block that is allocated again at the same place is alive. */
static struct list {
	uint32_t nr;
	struct {
		void *address;
		size_t size;
		bool freed;
	} items[NR_MOST];
} *list;
static pthread_mutex_t list_mutex = PTHREAD_MUTEX_INITIALIZER;

/* The child's side. */

static void note(void *address)
{
	pthread_mutex_lock(&list_mutex);
	for (uint32_t i = 0; i < list->nr && list->nr < 3000; i++)
		if (list->items[i].address == address && !list->items[i].freed)
			abort();
	if (!address || list->nr >= NR_MOST)
		abort();
	list->items[list->nr].address = address;
	list->items[list->nr].size = malloc_usable_size(address);
	list->items[list->nr++].freed = false;
	pthread_mutex_unlock(&list_mutex);
}

static uint32_t make(size_t bytes)
{
	void *block = malloc(bytes);

	note(block);
	memset(block, 0x55, malloc_usable_size(block));
	return list->nr - 1;
}

static void drop(uint32_t i)
{
	list->items[i].freed = true;
	free(list->items[i].address);
}

static unsigned long number = 1;

static size_t any_size(void)
{
	number = number * 6364136223846793005ul + 1442695040888963407ul;
	return number >> 33 & 15 ? (number >> 40) % 500 : (number >> 40) % 20000;
}

static int allocates(unsigned nr)
{
	for (unsigned i = 0; i < nr; i++)
		make(any_size());
	return 0;
}

static int some_blocks(void)
{
	allocates(5000);
	return waits();
}

/* Full caches and fast bins, bins of all sizes, holes. */
static int freed_blocks(void)
{
	allocates(8000);
	for (uint32_t i = 0; i < 8000; i += 3)
		drop(i);
	allocates(500);
	for (uint32_t i = 1; i < 8000; i += 7)
		if (!list->items[i].freed)
			drop(i);
	return waits();
}

static int mapped_blocks(void)
{
	void *block;

	for (unsigned i = 0; i < 40; i++)
		make((128 << 10) + i * 10000);
	drop(3);
	drop(17);
	for (size_t boundary = 32; boundary <= (4 << 20); boundary *= 2) {
		if (posix_memalign(&block, boundary, 100))
			return 1;
		note(block);
		if (posix_memalign(&block, boundary, 300000))
			return 1;
		note(block);
	}
	return waits();
}

static void *allocates_in_thread(void *argument)
{
	static pthread_mutex_t one_by_one = PTHREAD_MUTEX_INITIALIZER;
	uint32_t first;

	pthread_mutex_lock(&one_by_one);
	first = list->nr;
	allocates(2000);
	for (uint32_t i = first; i < list->nr; i += 5)
		drop(i);
	pthread_mutex_unlock(&one_by_one);
	is_ready();
	pause();
	return NULL;
}

static int many_arenas(void)
{
	pthread_t thread;

	mallopt(M_ARENA_MAX, 8);
	for (unsigned i = 0; i < THREADS_MOST - 1; i++)
		if (pthread_create(&thread, NULL, allocates_in_thread, NULL))
			return 1;
	_exit(waits());
}

/* Heaps of another arena: 64 MiB are soon full. */
static void *fills_heaps(void *argument)
{
	for (unsigned i = 0; i < 2000; i++)
		make(90000);
	is_ready();
	pause();
	return NULL;
}

static int chained_heaps(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, fills_heaps, NULL))
		return 1;
	_exit(waits());
}

/* Somebody has mapped where the break would go on. */
static int blocked_break(void)
{
	char *end;

	allocates(1000);
	end = sbrk(0);
	if (mmap(end, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) ==
	    MAP_FAILED)
		return 1;
	allocates(10000);
	for (uint32_t i = 0; i < list->nr; i += 4)
		drop(i);
	return waits();
}

/* ... or has moved it: malloc's segment ends, and another one begins at an odd place. */
static int foreign_break(void)
{
	allocates(1000);
	memset(sbrk(100), 0, 100);
	allocates(5000);
	memset(sbrk(70000), 0x41, 70000);
	allocates(5000);
	for (uint32_t i = 0; i < list->nr; i += 4)
		drop(i);
	return waits();
}

static int few_blocks(void)
{
	allocates(600);
	for (uint32_t i = 0; i < 600; i += 3)
		drop(i);
	return waits();
}

static int without_cache(void)
{
	mallopt(M_MXFAST, 160);
	return freed_blocks();
}

/* The tracer's. */

static struct arenas arenas;
static struct capture capture;

/* What is mapped of libc for writing, and behind it. */
static size_t find_data(struct span *data)
{
	const struct maps *maps = &capture.maps;
	size_t nr = 0;

	for (size_t i = 0; i < maps->nr && nr < 4; i++) {
		const struct mapping *mapping = &maps->items[i];
		bool behind = nr && !mapping->inode && data[nr - 1].end == mapping->start;

		if (mapping->writable && (behind || strstr(mapping->path, "/libc.so")))
			data[nr++] = (struct span){ mapping->start, mapping->end };
	}
	return nr;
}

static void walk(struct process *process)
{
	taddr_t pointers[THREADS_MOST];
	struct span data[4];
	struct arenas_input input = {
		.space = &capture.space, .maps = &capture.maps, .data = data,
		.thread_pointers = pointers,
	};
	arch_regs regs;

	assert_int_equal(capture_prepare(&capture, &process->memory, NULL), 0);
	assert_int_equal(capture_take(&capture, &process->memory), 0);
	for (size_t i = 0; i < process->threads.nr; i++) {
		assert_int_equal(thread_get_regs(process->threads.items[i], &regs), 0);
		pointers[input.nr_threads++] = regs.fs_base;
	}
	input.nr_data = find_data(data);
	assert_true(input.nr_data > 0);
	assert_int_equal(arenas_walk(&input, &arenas), 0);
}

static const struct arena_chunk *find(const void *address)
{
	size_t low = 0, high = arenas.chunks.nr;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (arenas.chunks.items[middle].address < (uintptr_t)address)
			low = middle + 1;
		else
			high = middle;
	}
	return low < arenas.chunks.nr && arenas.chunks.items[low].address == (uintptr_t)address
		? &arenas.chunks.items[low] : NULL;
}

static void check_list(void)
{
	for (size_t i = 1; i < arenas.chunks.nr; i++)
		assert_true(arenas.chunks.items[i].address >=
			    arenas.chunks.items[i - 1].address + arenas.chunks.items[i - 1].size);
	for (uint32_t i = 0; i < list->nr; i++) {
		const struct arena_chunk *chunk;
		bool again = false;

		chunk = find(list->items[i].address);
		if (!list->items[i].freed) {
			if (!chunk)
				fail_msg("block %u at %p of %zu bytes is missing", i,
					 list->items[i].address, list->items[i].size);
			assert_int_equal(chunk->size, list->items[i].size);
			continue;
		}
		for (uint32_t j = i + 1; j < list->nr && chunk; j++)
			again |= list->items[j].address == list->items[i].address &&
				 !list->items[j].freed;
		if (chunk && !again)
			fail_msg("block %u at %p was freed, and is there", i,
				 list->items[i].address);
	}
}

static void check_child(int (*work)(void), int nr_ready, unsigned least_arenas,
			unsigned least_segments)
{
	struct process *process;
	unsigned segments = 0;

#ifdef OTHER_MALLOC
	print_message("%s\n", OTHER_MALLOC);
	skip();
#endif
	list->nr = 0;
	process = hold(start(work, nr_ready));
	walk(process);
	if (arenas.incomplete)
		fail_msg("incomplete: %s at %#lx", arenas.incomplete,
			 (unsigned long)arenas.incomplete_at);
	assert_true(arenas.arenas.nr >= least_arenas);
	for (size_t i = 0; i < arenas.arenas.nr; i++)
		segments += arenas.arenas.items[i].nr_segments;
	assert_true(segments >= least_segments);
	check_list();
	arenas_release(&arenas);
	capture_release(&capture);
	finish(process, STOP_EXITED, 7);
}

static void test_some_blocks(void **state)
{
	check_child(some_blocks, 1, 1, 1);
}

static void test_freed_blocks(void **state)
{
	check_child(freed_blocks, 1, 1, 1);
}

static void test_without_cache(void **state)
{
	check_child(without_cache, 1, 1, 1);
}

static void test_mapped_blocks(void **state)
{
	check_child(mapped_blocks, 1, 1, 1);
}

static void test_many_arenas(void **state)
{
	check_child(many_arenas, THREADS_MOST, 5, 5);
}

static void test_chained_heaps(void **state)
{
	check_child(chained_heaps, 2, 2, 4);
}

static void test_blocked_break(void **state)
{
	check_child(blocked_break, 1, 1, 2);
}

static void test_foreign_break(void **state)
{
	check_child(foreign_break, 1, 1, 3);
}

/* Anything may be written over it: no crash, no endless loop, and nothing outside of memory. */
static void test_broken_heaps(void **state)
{
	struct process *process;
	struct span data[4];
	arch_regs regs;
	taddr_t pointer;
	struct arenas_input input = { .space = &capture.space, .maps = &capture.maps, .data = data,
				      .thread_pointers = &pointer, .nr_threads = 1 };
	unsigned nr_incomplete = 0;

#ifdef OTHER_MALLOC
	print_message("%s\n", OTHER_MALLOC);
	skip();
#endif
	list->nr = 0;
	process = hold(start(few_blocks, 1));
	walk(process);
	arenas_release(&arenas);
	assert_int_equal(thread_get_regs(process->threads.items[0], &regs), 0);
	pointer = regs.fs_base;
	input.nr_data = find_data(data);
	srand(3);
	for (unsigned round = 0; round < 1000; round++) {
		uint32_t i = (uint32_t)rand() % list->nr;
		taddr_t at = (uintptr_t)list->items[i].address - 16 + (unsigned)rand() % 4 * 8;
		const struct space_range *range = space_find(&capture.space, at);
		uint64_t *word, before;

		if (!range || at < range->start)
			continue;
		word = (uint64_t *)(range->copy + (at - range->start));
		before = *word;
		*word = rand() % 2 ? (uint64_t)rand() * (uint64_t)rand()
				   : before ^ 1ul << rand() % 64;
		assert_int_equal(arenas_walk(&input, &arenas), 0);
		nr_incomplete += arenas.incomplete != NULL;
		for (size_t j = 1; j < arenas.chunks.nr; j++)
			assert_true(arenas.chunks.items[j].address >
				    arenas.chunks.items[j - 1].address);
		arenas_release(&arenas);
		*word = before;
	}
	assert_true(nr_incomplete > 200);
	capture_release(&capture);
	finish(process, STOP_EXITED, 7);
}

static int setup_list(void **state)
{
	list = mmap(NULL, sizeof(*list), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return list == MAP_FAILED ? -1 : setup(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_some_blocks),
		cmocka_unit_test(test_freed_blocks),
		cmocka_unit_test(test_without_cache),
		cmocka_unit_test(test_mapped_blocks),
		cmocka_unit_test(test_many_arenas),
		cmocka_unit_test(test_chained_heaps),
		cmocka_unit_test(test_blocked_break),
		cmocka_unit_test(test_foreign_break),
		cmocka_unit_test(test_broken_heaps),
	};

	return cmocka_run_group_tests_name("arenas", tests, setup_list, teardown);
}
