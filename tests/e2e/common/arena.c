/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An allocator of a program's own, with the functions that glibc 2.36 has not got yet
 * (free_sized and free_aligned_sized of C23).  It takes no lock: other than glibc's it may be
 * interrupted by a signal whose handler allocates, or left by longjmp.
 *
 * Chunks are powers of two; free ones of a size form a list whose head carries a count in its
 * upper half, so that a chunk taken and given back in between is noticed.
 *
 *     chunk: | next (while free) ... | header | block, aligned ... |
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ARENA_BYTES (256ul << 20)
#define UNIT 16

struct header {
	uint32_t chunk;		/* in units from the arena's start */
	uint32_t order;
	size_t size;
};

static char arena[ARENA_BYTES] __attribute__((aligned(4096)));
static size_t used = UNIT;	/* unit 0 stands for "none" */
static uint64_t heads[64];

static uint32_t *next_of(uint32_t chunk)
{
	return (uint32_t *)(arena + (size_t)chunk * UNIT);
}

static uint64_t new_head(uint64_t old, uint32_t chunk)
{
	return ((old >> 32) + 1) << 32 | chunk;
}

static int swap_head(unsigned order, uint64_t *old, uint32_t chunk)
{
	return __atomic_compare_exchange_n(&heads[order], old, new_head(*old, chunk), 0,
					   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static uint32_t chunk_take(unsigned order)
{
	uint64_t head = __atomic_load_n(&heads[order], __ATOMIC_SEQ_CST);
	size_t at;

	while ((uint32_t)head)
		if (swap_head(order, &head, *next_of(head)))
			return head;
	at = __atomic_fetch_add(&used, 1ul << order, __ATOMIC_SEQ_CST);
	return at + (1ul << order) <= ARENA_BYTES ? at / UNIT : 0;
}

static void chunk_give(uint32_t chunk, unsigned order)
{
	uint64_t head = __atomic_load_n(&heads[order], __ATOMIC_SEQ_CST);

	do
		*next_of(chunk) = head;
	while (!swap_head(order, &head, chunk));
}

static void *take(size_t alignment, size_t size)
{
	size_t room = size + alignment + sizeof(struct header);
	unsigned order = 5;
	uint32_t chunk = 0;
	char *block;

	while (size < ARENA_BYTES && 1ul << order < room)
		order++;
	if (size >= ARENA_BYTES || !(chunk = chunk_take(order))) {
		errno = ENOMEM;
		return NULL;
	}
	block = (char *)next_of(chunk) + sizeof(struct header);
	block += -(uintptr_t)block & (alignment - 1);
	((struct header *)block)[-1] = (struct header){ chunk, order, size };
	return block;
}

static void give(void *block)
{
	struct header *header = (struct header *)block - 1;

	if (block)
		chunk_give(header->chunk, header->order);
}

void *malloc(size_t size)
{
	return take(16, size);
}

void *calloc(size_t number, size_t size)
{
	void *block = take(16, number * size);

	return block ? memset(block, 0, number * size) : NULL;
}

void *realloc(void *old, size_t size)
{
	size_t was = old ? ((struct header *)old)[-1].size : 0;
	void *block = take(16, size);

	if (block && old) {
		memcpy(block, old, was < size ? was : size);
		give(old);
	}
	return block;
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return take(alignment, size);
}

void *memalign(size_t alignment, size_t size)
{
	return take(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
	void *block = take(alignment, size);

	if (!block)
		return ENOMEM;
	*out = block;
	return 0;
}

void free(void *block)
{
	give(block);
}

void free_sized(void *block, size_t size)
{
	give(block && ((struct header *)block)[-1].size == size ? block : NULL);
}

void free_aligned_sized(void *block, size_t alignment, size_t size)
{
	give(block && ((struct header *)block)[-1].size == size && alignment ? block : NULL);
}
