/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A pool above malloc: objects of one size lie in chunks, the first one where its chunk begins; a
 * free object's first word is the next one.  Chunks are malloc's, and never given back.
 *
 * pool.h is compiled into each victim, so that what is static there is static in it.
 */
#ifndef POOL_H
#define POOL_H

#include <stdlib.h>

#define POOL_OBJECTS 16

struct pool {
	size_t size;
	void *free;
	char *chunk;
	unsigned used;
	unsigned long nr_chunks;
};

static inline void pool_init(struct pool *pool, size_t size)
{
	pool->size = size;
	pool->free = NULL;
	pool->chunk = NULL;
	pool->used = POOL_OBJECTS;
	pool->nr_chunks = 0;
}

static inline void *pool_take(struct pool *pool)
{
	void *object = pool->free;

	if (object) {
		pool->free = *(void **)object;
		return object;
	}
	if (pool->used == POOL_OBJECTS) {
		pool->chunk = (char *)malloc(pool->size * POOL_OBJECTS);
		pool->used = 0;
		pool->nr_chunks++;
	}
	return pool->chunk ? pool->chunk + pool->size * pool->used++ : NULL;
}

static inline void pool_give(struct pool *pool, void *object)
{
	*(void **)object = pool->free;
	pool->free = object;
}

#endif
