/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every function of glibc's allocator: once failing, once freed, once kept. */
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>

#include "truth.h"

static volatile size_t huge = (size_t)PTRDIFF_MAX - 4096;

static void (*old_free)(void *);

static void *aligned(size_t alignment, size_t size)
{
	void *block = (void *)1;

	return posix_memalign(&block, alignment, size) ? NULL : block;	/* LIVE posix_memalign */
}

static void allocating(int keep)
{
	void *block[12] = {
		T_MALLOC(11),				/* LIVE malloc */
		T_CALLOC(3, 4),				/* LIVE calloc */
		T_REALLOC(NULL, 0, 13),			/* LIVE realloc */
		T_NEW(reallocarray(NULL, 2, 7), 14),	/* LIVE reallocarray */
		T_NEW(memalign(64, 15), 15),		/* LIVE memalign */
		T_NEW(aligned_alloc(128, 256), 256),	/* LIVE aligned_alloc */
		T_NEW(aligned(4096, 17), 17),
		T_NEW(valloc(18), 18),			/* LIVE valloc */
		T_NEW(pvalloc(4096), 4096),		/* LIVE pvalloc */
		T_MALLOC(0),				/* LIVE nothing */
		T_CALLOC(0, 8),				/* LIVE zero */
		T_MALLOC(1 << 20),			/* LIVE mapped */
	};
	static const size_t size[12] = { 11, 12, 13, 14, 15, 256, 17, 18, 4096, 0, 0, 1 << 20 };

	for (int i = 0; i < 12; i++) {
		MUST(block[i]);
		fill(block[i], size[i], i);
		MUST(filled(block[i], size[i], i));
		if (keep)
			continue;
		truth_freed(size[i]);
		if (i % 2 && old_free)
			old_free(block[i]);
		else
			free(block[i]);
	}
	free(NULL);
}

static void failing(void)
{
	MUST(!T_MALLOC(huge));
	MUST(!T_CALLOC(huge, 3));
	MUST(!T_CALLOC(huge, 1));
	MUST(!T_REALLOC(NULL, 0, huge));
	MUST(!T_NEW(reallocarray(NULL, huge, 3), 0));
	MUST(!T_NEW(memalign(64, huge), 0));
	MUST(!T_NEW(aligned_alloc(64, huge), 0));
	MUST(!T_NEW(aligned(64, huge), 0));
	MUST(!T_NEW(aligned(3, 10), 0));
	MUST(!T_NEW(valloc(huge), 0));
	MUST(!T_NEW(pvalloc(huge), 0));
	MUST(errno == ENOMEM);
}

int main(void)
{
	/* Only programs of long ago can be linked to cfree. */
	*(void **)&old_free = dlvsym(RTLD_DEFAULT, "cfree", "GLIBC_2.2.5");
	MUST(old_free);
	stage("ready");
	for (int i = 0; i < 3; i++)
		allocating(0);
	failing();
	allocating(1);
	tell_truth();
	stage("done");
	return correct();
}
