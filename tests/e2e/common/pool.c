/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An allocator in a library that is loaded late.  Its memory stays when it is unloaded, so that
 * no two blocks have one address.
 */
#include <stddef.h>
#include <sys/mman.h>

#define POOL_BYTES (64ul << 10)

static char *pool;
static size_t used;

void *malloc(size_t size)
{
	char *block;

	if (!pool)
		pool = mmap(NULL, POOL_BYTES, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	block = pool + used;
	used += (size + 15) & ~15ul;
	return pool != MAP_FAILED && used <= POOL_BYTES ? block : NULL;
}

void free(void *block)
{
	if (block)
		*(volatile char *)block = 0;
}
