/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A pool that has its chunks from malloc inside of pool_get(), and gives them back outside of
 * pool_put(): frees of what no call that counts has allocated, at addresses that calls which count
 * have used and freed before.
 */
#include "truth.h"

#define CHUNK 1000

static char *chunks[64];
static int nr_chunks;
static size_t left;

__attribute__((noinline)) void *pool_get(size_t size)
{
	if (left < size) {
		chunks[nr_chunks++] = malloc(CHUNK);
		left = CHUNK;
	}
	left -= size;
	return chunks[nr_chunks - 1] + left;
}

__attribute__((noinline)) void pool_put(void *block)
{
	__asm__ volatile("" : : "r"(block) : "memory");
}

int main(void)
{
	void *blocks[64];

	stage("ready");
	for (int i = 0; i < 10; i++)
		blocks[i] = malloc(CHUNK);
	for (int i = 0; i < 10; i++)
		free(blocks[i]);
	for (int i = 0; i < 64; i++)
		blocks[i] = pool_get(300);
	for (int i = 0; i < 64; i++)
		pool_put(blocks[i]);
	for (int i = 0; i < nr_chunks; i++)
		free(chunks[i]);
	tell_truth();
	stage("done");
	return correct();
}
