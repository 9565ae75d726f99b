/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every case of realloc; the first blocks are there before the attach. */
#include <stdint.h>

#include "truth.h"

static volatile size_t huge = (size_t)PTRDIFF_MAX - 64;

static size_t page = 4096;

static void grow_and_shrink(void)
{
	size_t size = 1;
	char *block = T_REALLOC(NULL, 0, 1);

	block[0] = 'x';
	for (size_t next = 2; next <= 1 << 20; next *= 2) {	/* on to mmap and mremap */
		block = T_REALLOC(block, size, next);
		MUST(block[0] == 'x');
		size = next;
	}
	for (; size > 3; size /= 3)
		block = T_REALLOC(block, size, size / 3);
	MUST(block[0] == 'x');
	T_FREE(block, size);
}

static void blocked(void)
{
	char *block = T_MALLOC(100), *next = T_MALLOC(100);

	fill(block, 100, 1);
	block = T_REALLOC(block, 100, 5000);	/* cannot stay: next is in its way */
	MUST(filled(block, 100, 1));
	block = T_REALLOC(block, 5000, 4990);	/* stays */
	T_FREE(next, 100);
	(void)T_REALLOC(block, 4990, 77);	/* LIVE small */
}

static void failing(void)
{
	char *block = T_MALLOC(50);		/* LIVE failed */

	fill(block, 50, 2);
	MUST(T_REALLOC(block, 50, huge) == NULL);
	MUST(filled(block, 50, 2));
	MUST(T_REALLOC(NULL, 0, huge) == NULL);
}

static void to_nothing(void)
{
	void *block = T_MALLOC(60);

	truth_freed(60);
	MUST(realloc(block, 0) == NULL);
	MUST(T_REALLOC(NULL, 0, 0) != NULL);	/* LIVE empty */
}

static void old_blocks(char **old)
{
	if (!old[0])
		return;
	truth.old_frees += 3;
	old[0] = T_NEW(realloc(old[0], 3 * page), 3 * page);	/* LIVE old */
	MUST(filled(old[0], 200, 3));
	MUST(T_NEW(realloc(old[1], huge), 0) == NULL);
	MUST(filled(old[1], 200, 4));
	MUST(realloc(old[1], 0) == NULL);
	free(old[2]);
}

int main(int argc, char **argv)
{
	char *old[3] = { NULL };

	for (int i = 0; argc > 1 && i < 3; i++) {
		old[i] = malloc(200);
		fill(old[i], 200, 3 + i);
	}
	stage("ready");
	grow_and_shrink();
	blocked();
	failing();
	to_nothing();
	old_blocks(old);
	tell_truth();
	stage("done");
	return correct();
}
