/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A program with a malloc of its own, which the C library uses, too: strdup() and the like.  Some of
 * it comes from an array, larger blocks are mapped; free memory is not used again.
 */
#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>

#include "truth.h"

#define ARENA_BYTES (4ul << 20)
#define NOINLINE __attribute__((noinline))

static char arena[ARENA_BYTES] __attribute__((aligned(64)));
static size_t used;

static void *take(size_t alignment, size_t size)
{
	size_t bytes = size + alignment + 64, at;

	if (size > ARENA_BYTES / 4) {
		errno = ENOMEM;
		return NULL;
	}
	at = __atomic_fetch_add(&used, (bytes + 63) & ~63ul, __ATOMIC_RELAXED);
	if (at + bytes > ARENA_BYTES)
		return NULL;
	at = (at + alignment) & ~(alignment - 1);
	*(size_t *)(arena + at) = size;
	return arena + at + alignment;
}

NOINLINE void *malloc(size_t size)
{
	return take(16, size);
}

NOINLINE void free(void *block)
{
	if (block)
		((char *)block)[-1] ^= 1;
}

NOINLINE void *calloc(size_t nr, size_t size)
{
	return malloc(nr * size);
}

NOINLINE void *realloc(void *block, size_t size)
{
	size_t was = block ? *(size_t *)((char *)block - 16) : 0;
	void *moved = malloc(size);

	if (moved && block) {
		memcpy(moved, block, was < size ? was : size);
		free(block);
	}
	return moved;
}

NOINLINE void *aligned_alloc(size_t alignment, size_t size)
{
	return take(alignment, size);
}

int main(void)
{
	stage("ready");
	for (int i = 0; i < 50; i++) {
		char *kept = T_NEW(strdup("nineteen characters"), 20);	/* LIVE strdup */
		char *freed = T_NEW(strndup("nineteen characters", 8), 9), *plain = T_MALLOC(33);

		MUST(kept && freed && plain && (char *)kept >= arena && kept < arena + ARENA_BYTES);
		T_FREE(freed, 9);
		plain = T_REALLOC(plain, 33, 44);		/* LIVE realloc */
		check_block(plain, 44, i);
		check_block(T_CALLOC(5, 7), 35, i);		/* LIVE calloc */
		plain = T_NEW(aligned_alloc(64, 128), 128);
		MUST(!((uintptr_t)plain & 63));
		T_FREE(plain, 128);
		MUST(!T_MALLOC(ARENA_BYTES));
	}
	tell_truth();
	stage("done");
	return correct();
}
