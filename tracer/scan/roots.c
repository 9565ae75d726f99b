/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See roots.h.  In the order in which they are preferred as keepers: globals, stacks, the rest. */
#include "roots.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../base/array.h"

#define PAGE_BYTES 4096

/* Of glibc's struct pthread: the header begins with the address of itself, and has it again behind
 * the vector of thread-local storage (sysdeps/x86_64/nptl/tls.h, tcbhead_t); the thread's id is 720
 * bytes behind it from 2.4 on, and 0 or less when the thread has ended (nptl/descr.h).  It lies at
 * the end of the stack, aligned to 64 bytes. */
#define DESCRIPTOR_ALIGNMENT 64
#define SELF_AT 16
#define VECTOR_AT 8
#define TID_AT 720
/* The vector begins one entry of 16 bytes before what the thread points to (elf/dl-tls.c). */
#define VECTOR_ENTRY 16

static const struct roots_thread *thread_in(const struct roots_input *input,
					    const struct mapping *mapping)
{
	for (size_t i = 0; i < input->nr_threads; i++) {
		const struct roots_thread *thread = &input->threads[i];

		if ((thread->sp >= mapping->start && thread->sp < mapping->end) ||
		    (thread->thread_pointer >= mapping->start &&
		     thread->thread_pointer < mapping->end))
			return thread;
	}
	return NULL;
}

static size_t count_threads_in(const struct roots_input *input, const struct mapping *mapping)
{
	size_t nr = 0;

	for (size_t i = 0; i < input->nr_threads; i++)
		nr += input->threads[i].thread_pointer - mapping->start <
		      mapping->end - mapping->start;
	return nr;
}

static bool is_main_stack(const struct mapping *mapping)
{
	return !strcmp(mapping->path, "[stack]");
}

/* Behind memory that nobody may touch. */
static bool is_guarded(const struct maps *maps, const struct mapping *mapping)
{
	const struct mapping *before = maps_before(maps, mapping);

	return before && !before->readable && !before->writable && !mapping->inode;
}

static bool is_dead_thread(const struct space *space, taddr_t address)
{
	uint64_t own, self, tid;

	return space_word(space, address, &own) && own == address &&
	       space_word(space, address + SELF_AT, &self) && self == address &&
	       space_word(space, address + TID_AT, &tid) && (int32_t)tid <= 0;
}

/* Where its descriptor is: in the last page. */
static bool is_dead_stack(const struct roots_input *input, const struct mapping *mapping)
{
	taddr_t address = mapping->end - PAGE_BYTES;

	if (!is_guarded(input->maps, mapping) || thread_in(input, mapping))
		return false;
	for (; address < mapping->end; address += DESCRIPTOR_ALIGNMENT)
		if (is_dead_thread(input->space, address))
			return true;
	return false;
}

/* From where on a stack is in use; the mapping's start where that cannot be told: a signal's stack,
 * or several in one mapping. */
static taddr_t used_from(const struct roots_input *input, const struct mapping *mapping,
			 const struct roots_thread *thread)
{
	bool is_stack = is_main_stack(mapping) ||
			(is_guarded(input->maps, mapping) &&
			 count_threads_in(input, mapping) == 1 &&
			 thread->thread_pointer >= mapping->start &&
			 thread->thread_pointer < mapping->end);

	if (!is_stack || thread->sp < mapping->start + RED_ZONE_BYTES || thread->sp >= mapping->end)
		return mapping->start;
	return thread->sp - RED_ZONE_BYTES;
}

static int add_owner(struct roots *roots, enum root_kind kind, pid_t tid, size_t mapping)
{
	if (ARRAY_GROW(&roots->owners))
		return -ENOMEM;
	roots->owners.items[roots->owners.nr++] =
		(struct root_owner){ kind, tid, (uint32_t)mapping };
	return 0;
}

/* For the last owner. */
static int add_root(struct roots *roots, struct reach_root root)
{
	if (ARRAY_GROW(roots))
		return -ENOMEM;
	root.owner = (uint32_t)roots->owners.nr - 1;
	roots->items[roots->nr++] = root;
	return 0;
}

/* The first part of the heap that ends behind an address. */
static size_t heap_behind(const struct roots_input *input, taddr_t address)
{
	size_t low = 0, high = input->nr_heap;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (input->heap[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* What of it is not the heap's. */
static int add_range(const struct roots_input *input, struct roots *roots, taddr_t start,
		     taddr_t end)
{
	int error = 0;

	for (size_t i = heap_behind(input, start); i < input->nr_heap && start < end && !error; i++) {
		const struct span *heap = &input->heap[i];

		if (heap->start >= end)
			break;
		if (heap->start > start)
			error = add_root(roots, (struct reach_root){ .start = start,
								     .end = heap->start });
		start = heap->end;
	}
	if (!error && start < end)
		error = add_root(roots, (struct reach_root){ .start = start, .end = end });
	return error;
}

/* The kernel maps .bss without a file, right behind the data. */
static enum root_kind kind_of(const struct roots_input *input, const struct mapping *mapping)
{
	if (thread_in(input, mapping))
		return ROOT_STACK;
	return maps_is_of_file(input->maps, mapping) ? ROOT_MODULE : ROOT_OTHER;
}

/* glibc's loader keeps its index of modules by a pointer that it has aligned itself, behind the start
 * of the block (elf/dl-find_object.c, from 2.35 on). */
static bool is_of_loader(const struct maps *maps, const struct mapping *mapping)
{
	const struct mapping *file = mapping->inode ? mapping : maps_before(maps, mapping);
	const char *slash = file ? strrchr(file->path, '/') : NULL;

	return slash && (!strncmp(slash, "/ld-linux", 9) || !strncmp(slash, "/ld-2.", 6));
}

static int add_mapping(const struct roots_input *input, struct roots *roots, size_t index,
		       enum root_kind kind)
{
	const struct mapping *mapping = &input->maps->items[index];
	const struct roots_thread *thread = thread_in(input, mapping);
	taddr_t start = thread ? used_from(input, mapping, thread) : mapping->start;
	size_t first = roots->nr;
	int error;

	if (is_dead_stack(input, mapping))
		return 0;
	error = add_owner(roots, kind, thread ? thread->tid : 0, index);
	if (!error)
		error = add_range(input, roots, start, mapping->end);
	for (size_t i = first; i < roots->nr; i++) {
		roots->items[i].lasts = kind == ROOT_MODULE;
		roots->items[i].keeps_by_insides = is_of_loader(input->maps, mapping);
	}
	return error;
}

static int add_mappings(const struct roots_input *input, struct roots *roots, enum root_kind kind)
{
	int error = 0;

	for (size_t i = 0; i < input->maps->nr && !error; i++)
		if (input->maps->items[i].readable &&
		    kind_of(input, &input->maps->items[i]) == kind)
			error = add_mapping(input, roots, i, kind);
	return error;
}

static int add_registers(struct roots *roots, const struct roots_thread *thread)
{
	int error = add_owner(roots, ROOT_REGISTERS, thread->tid, 0);

	if (error)
		return error;
	return add_root(roots, (struct reach_root){ .words = thread->words,
						    .nr_words = thread->nr_words });
}

/* It points behind the start of the block. */
static int add_vector(const struct space *space, struct roots *roots, struct roots_thread *thread)
{
	int error;

	if (!thread->thread_pointer ||
	    !space_word(space, thread->thread_pointer + VECTOR_AT, &thread->vector))
		return 0;
	thread->vector -= VECTOR_ENTRY;
	error = add_owner(roots, ROOT_THREAD, thread->tid, 0);
	return error ? error : add_root(roots, (struct reach_root){ .words = &thread->vector,
								    .nr_words = 1 });
}

static int add_threads(const struct roots_input *input, struct roots *roots)
{
	int error = 0;

	for (size_t i = 0; i < input->nr_threads && !error; i++) {
		error = add_registers(roots, &input->threads[i]);
		if (!error)
			error = add_vector(input->space, roots, &input->threads[i]);
	}
	return error;
}

int roots_find(const struct roots_input *input, struct roots *out)
{
	int error;

	*out = (struct roots){ 0 };
	error = add_mappings(input, out, ROOT_MODULE);
	if (!error)
		error = add_mappings(input, out, ROOT_STACK);
	if (!error)
		error = add_threads(input, out);
	if (!error)
		error = add_mappings(input, out, ROOT_OTHER);
	if (error)
		roots_release(out);
	return error;
}

int roots_add(struct roots *roots, const struct span *spans, size_t nr)
{
	int error = nr ? add_owner(roots, ROOT_OTHER, 0, 0) : 0;

	for (size_t i = 0; i < nr && !error; i++)
		error = add_root(roots, (struct reach_root){ .start = spans[i].start,
							     .end = spans[i].end });
	if (error)
		roots_release(roots);
	return error;
}

void roots_release(struct roots *roots)
{
	free(roots->items);
	free(roots->owners.items);
	*roots = (struct roots){ 0 };
}
