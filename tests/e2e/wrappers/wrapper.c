/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * To be preloaded: malloc and its like, which hand on to those of the next library.
 *
 *   -DTAIL       by a jump through a pointer, which leaves no frame
 *   -DBOOTSTRAP  calls that come while dlsym(3) looks get memory of the wrapper's own, and so do
 *                the first ones of a thread's, as if it had to set itself up
 */
#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

#ifdef TAIL
#define HAND_ON __attribute__((optimize("O2", "omit-frame-pointer")))
#else
#define HAND_ON
#endif

#define BUFFER_BYTES 8192

static void *(*next_malloc)(size_t), *(*next_calloc)(size_t, size_t);
static void *(*next_realloc)(void *, size_t);
static void (*next_free)(void *);
static char buffer[BUFFER_BYTES] __attribute__((aligned(16)));
static size_t used;
static int looking;

static void *from_buffer(size_t size)
{
	size_t at = __atomic_fetch_add(&used, (size + 31) & ~15ul, __ATOMIC_RELAXED);

	if (at + size > BUFFER_BYTES)
		return NULL;
	memcpy(buffer + at, &size, sizeof(size));
	return buffer + at + 16;
}

static int is_ours(void *block)
{
	return (char *)block >= buffer && (char *)block < buffer + BUFFER_BYTES;
}

static __attribute__((noinline)) void look(void)
{
	looking = 1;
	*(void **)&next_malloc = dlsym(RTLD_NEXT, "malloc");
	*(void **)&next_calloc = dlsym(RTLD_NEXT, "calloc");
	*(void **)&next_realloc = dlsym(RTLD_NEXT, "realloc");
	*(void **)&next_free = dlsym(RTLD_NEXT, "free");
#ifdef BOOTSTRAP
	/* The C library's malloc sets itself up in its first call, which must not be two at once. */
	next_free(next_malloc(1));
#endif
	looking = 0;
}

#ifdef TAIL
/* So that nothing but the jump is left in them. */
static __attribute__((constructor)) void look_early(void)
{
	look();
}

HAND_ON void *malloc(size_t size)
{
	return next_malloc(size);
}

HAND_ON void *calloc(size_t nr, size_t size)
{
	return next_calloc ? next_calloc(nr, size) : from_buffer(nr * size);
}

HAND_ON void *realloc(void *block, size_t size)
{
	return next_realloc(block, size);
}

HAND_ON void free(void *block)
{
	if (!is_ours(block))
		next_free(block);
}
#else
static int comes_from_buffer(void)
{
	if (looking)
		return 1;
	if (!next_free)
		look();
#ifdef BOOTSTRAP
	return used < 400;
#else
	return 0;
#endif
}

void *malloc(size_t size)
{
	void *block = comes_from_buffer() ? from_buffer(size) : next_malloc(size);

	if (block)
		memset(block, 0x5a, size);
	return block;
}

void *calloc(size_t nr, size_t size)
{
	return comes_from_buffer() ? from_buffer(nr * size) : next_calloc(nr, size);
}

void *realloc(void *block, size_t size)
{
	size_t was;
	void *moved;

	if (!is_ours(block))
		return comes_from_buffer() && !block ? from_buffer(size) : next_realloc(block, size);
	moved = next_malloc(size);
	memcpy(&was, (char *)block - 16, sizeof(was));
	if (moved)
		memcpy(moved, block, was < size ? was : size);
	return moved;
}

void free(void *block)
{
	if (!is_ours(block) && block)
		next_free(block);
}
#endif
