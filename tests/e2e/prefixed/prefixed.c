/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each function of an allocator under its own prefix: once failing where it can, once freed, once
 * kept; and malloc's own, which may be the same functions.  -DJEMALLOC=je_, -DTCMALLOC, -DMIMALLOC.
 */
#include <errno.h>
#include <stdint.h>

#include "truth.h"

static volatile size_t huge = (size_t)PTRDIFF_MAX - 4096;
static int round_nr;

/* Checks a block of n bytes, and gives it back with `release` or keeps it. */
#define USE(call, n, release) do {					\
	void *block = T_NEW(call, n);					\
	check_block(block, n, round_nr);				\
	if (round_nr) {							\
		truth_freed(n);						\
		release;						\
	} } while (0)

/* The same for a block that is resized meanwhile, from 50 bytes to n. */
#define RESIZE(make, call, n, release) do {				\
	void *block = T_NEW(make, 50), *was = block;			\
	check_block(block, 50, round_nr);				\
	block = call;							\
	MUST(block && was);						\
	truth_freed(50);						\
	truth_allocated(block, n);					\
	check_block(block, n, round_nr);				\
	if (round_nr) {							\
		truth_freed(n);						\
		release;						\
	} } while (0)

#define FAIL(call) MUST(!T_NEW(call, 0))

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

#ifdef JEMALLOC
#define F(name) JOIN(JEMALLOC, name)
void *F(malloc)(size_t), *F(calloc)(size_t, size_t), *F(realloc)(void *, size_t);
void *F(aligned_alloc)(size_t, size_t), *F(memalign)(size_t, size_t), *F(valloc)(size_t);
void *F(mallocx)(size_t, int), *F(rallocx)(void *, size_t, int);
int F(posix_memalign)(void **, size_t, size_t);
void F(free)(void *), F(dallocx)(void *, int), F(sdallocx)(void *, size_t, int);

static void others(void)
{
	USE(F(mallocx)(70, 0), 70, F(dallocx)(block, 0));		/* LIVE je */
	USE(F(mallocx)(71, 4), 71, F(sdallocx)(block, 71, 4));
	RESIZE(F(mallocx)(50, 0), F(rallocx)(block, 9000, 0), 9000, F(dallocx)(block, 0));
	FAIL(F(mallocx)(huge, 0));
}
#elif defined TCMALLOC
#define F(name) JOIN(tc_, name)
#define aligned_alloc memalign	/* there is none */
#define tc_aligned_alloc tc_memalign
void *tc_malloc(size_t), *tc_calloc(size_t, size_t), *tc_realloc(void *, size_t);
void *tc_memalign(size_t, size_t), *tc_valloc(size_t), *tc_new(size_t), *tc_newarray(size_t);
void *tc_new_nothrow(size_t, const void *), *tc_new_aligned(size_t, size_t);
void *tc_malloc_skip_new_handler(size_t), *tc_newarray_aligned(size_t, size_t);
int tc_posix_memalign(void **, size_t, size_t);
void tc_free(void *), tc_cfree(void *), tc_free_sized(void *, size_t), tc_delete(void *);
void tc_delete_sized(void *, size_t), tc_deletearray(void *), tc_delete_aligned(void *, size_t);
void tc_delete_nothrow(void *, const void *), tc_deletearray_sized_aligned(void *, size_t, size_t);

static void others(void)
{
	USE(tc_new(70), 70, tc_delete(block));				/* LIVE tc */
	USE(tc_new(71), 71, tc_delete_sized(block, 71));
	USE(tc_new_nothrow(72, ""), 72, tc_delete_nothrow(block, ""));
	USE(tc_new_aligned(73, 64), 73, tc_delete_aligned(block, 64));
	USE(tc_newarray(74), 74, tc_deletearray(block));
	USE(tc_newarray_aligned(75, 64), 75, tc_deletearray_sized_aligned(block, 75, 64));
	USE(tc_malloc_skip_new_handler(76), 76, tc_free_sized(block, 76));
	USE(tc_malloc(77), 77, tc_cfree(block));
}
#else
#include <mimalloc.h>
#define F(name) JOIN(mi_, name)

static void others(void)
{
	mi_heap_t *heap = mi_heap_get_default();

	USE(mi_zalloc(70), 70, mi_free(block));				/* LIVE mi */
	USE(mi_malloc_small(71), 71, mi_free_size(block, 71));
	USE(mi_zalloc_small(72), 72, mi_free_aligned(block, 8));
	USE(mi_mallocn(3, 24), 72, mi_free_size_aligned(block, 72, 8));
	USE(mi_malloc_aligned(73, 256), 73, mi_cfree(block));
	USE(mi_zalloc_aligned(74, 64), 74, mi_free(block));
	USE(mi_calloc_aligned(5, 15, 64), 75, mi_free(block));
	USE(mi_malloc_aligned_at(76, 64, 8), 76, mi_free(block));
	USE(mi_calloc_aligned_at(7, 11, 64, 8), 77, mi_free(block));
	USE(mi_heap_malloc(heap, 78), 78, mi_free(block));
	USE(mi_heap_zalloc(heap, 79), 79, mi_free(block));
	USE(mi_heap_calloc(heap, 8, 10), 80, mi_free(block));
	USE(mi_heap_mallocn(heap, 9, 9), 81, mi_free(block));
	USE(mi_heap_malloc_aligned(heap, 82, 64), 82, mi_free(block));
	USE(mi_heap_calloc_aligned(heap, 2, 41, 64), 82, mi_free(block));
	USE(mi_new(83), 83, mi_free(block));
	USE(mi_new_nothrow(84), 84, mi_free(block));
	USE(mi_new_aligned(85, 64), 85, mi_free(block));
	USE(mi_new_n(2, 43), 86, mi_free(block));
	USE(mi_heap_alloc_new(heap, 87), 87, mi_free(block));
	USE(mi_heap_alloc_new_n(heap, 2, 44), 88, mi_free(block));
	RESIZE(mi_malloc(50), mi_rezalloc(block, 9000), 9000, mi_free(block));
	RESIZE(mi_malloc(50), mi_reallocn(block, 90, 100), 9000, mi_free(block));
	RESIZE(mi_malloc(50), mi_recalloc(block, 90, 101), 9090, mi_free(block));
	RESIZE(mi_malloc(50), mi_reallocf(block, 9001), 9001, mi_free(block));
	RESIZE(mi_malloc(50), mi_reallocarray(block, 90, 102), 9180, mi_free(block));
	RESIZE(mi_malloc(50), mi_realloc_aligned(block, 9002, 64), 9002, mi_free(block));
	RESIZE(mi_malloc(50), mi_heap_realloc(heap, block, 9003), 9003, mi_free(block));
	RESIZE(mi_malloc(50), mi_heap_recalloc(heap, block, 90, 103), 9270, mi_free(block));
	RESIZE(mi_malloc(50), mi_new_realloc(block, 9004), 9004, mi_free(block));
	RESIZE(mi_malloc(50), mi_new_reallocn(block, 90, 104), 9360, mi_free(block));
}
#endif

static void *aligned(size_t alignment, size_t size)
{
	void *block = (void *)1;

	return F(posix_memalign)(&block, alignment, size) ? NULL : block;
}

static void common(void)
{
	USE(F(malloc)(60), 60, F(free)(block));				/* LIVE own */
	USE(F(calloc)(3, 20), 60, F(free)(block));
	RESIZE(F(malloc)(50), F(realloc)(block, 8000), 8000, F(free)(block));
	USE(F(aligned_alloc)(64, 128), 128, F(free)(block));
	USE(F(memalign)(64, 61), 61, F(free)(block));
	USE(F(valloc)(62), 62, F(free)(block));
	USE(aligned(4096, 63), 63, F(free)(block));
	FAIL(F(malloc)(huge));
	FAIL(F(calloc)(huge, 3));
	FAIL(aligned(64, huge));
	F(free)(NULL);
	USE(malloc(64), 64, free(block));				/* LIVE malloc */
	USE(calloc(5, 13), 65, free(block));
	USE(strdup("sixty six bytes, with the null byte, are what this text is made of"), 67,
	    free(block));
}

int main(void)
{
	stage("ready");
	for (round_nr = 20; round_nr >= 0; round_nr--) {
		common();
		others();
	}
	tell_truth();
	stage("done");
	return correct();
}
