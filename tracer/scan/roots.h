/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a program's pointers begin: what it has in memory beside its heap, and in registers.  Left
 * out is what only looks like it:
 *
 *     below a stack pointer and its red zone   what returned functions have left
 *     stacks of threads that have ended        glibc keeps them for the next ones
 *
 * Both only where a guard page tells that the mapping is a stack and nothing else.
 *
 * Pure, but for what the space holds.  One thread.
 */
#ifndef MEMTRACE_SCAN_ROOTS_H
#define MEMTRACE_SCAN_ROOTS_H

#include <sys/types.h>

#include "../target/maps.h"
#include "arenas.h"
#include "reach.h"

enum root_kind {
	ROOT_MODULE,	/* data of a file that is mapped, or the memory behind it (.bss) */
	ROOT_STACK,
	ROOT_REGISTERS,
	ROOT_THREAD,	/* what the C library keeps of it: its vector of thread-local storage */
	ROOT_OTHER,	/* anonymous and shared memory */
};

struct root_owner {
	enum root_kind kind;
	pid_t tid;		/* of STACK, REGISTERS, THREAD */
	uint32_t mapping;	/* index of the maps', else */
};

struct roots_thread {
	pid_t tid;
	taddr_t sp, thread_pointer;	/* the latter is fs_base */
	const uint64_t *words;		/* all its registers */
	size_t nr_words;
	uint64_t vector;		/* of roots_find() */
};

struct roots_input {
	const struct space *space;
	const struct maps *maps;
	struct roots_thread *threads;
	size_t nr_threads;
	/* Memory that is the heap's, sorted, none in another. */
	const struct span *heap;
	size_t nr_heap;
};

/* items[i].owner is the index of owners. */
struct roots {
	struct reach_root *items;
	size_t nr, room;
	struct {
		struct root_owner *items;
		size_t nr, room;
	} owners;
};

/* The roots use the input's threads and their words, as long as they live.  0 or -ENOMEM: nothing
 * is left to release. */
int roots_find(const struct roots_input *input, struct roots *out);
/* Adds memory within the heap that is to count, too, as ROOT_OTHER.  0 or -ENOMEM, likewise. */
int roots_add(struct roots *roots, const struct span *spans, size_t nr);
void roots_release(struct roots *roots);

#endif
