/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of allocation functions.  Sources: malloc(3), posix_memalign(3), C23 7.24.3
 * (free_sized), jemalloc(3) for the *allocx family and for prefixes, the Itanium C++ ABI's mangling
 * of the replaceable operators of C++17 [new.delete], and what gperftools/tcmalloc.h and
 * mimalloc.h declare.
 */
#include "allocators.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROW(of, as, how, size, pointer, ...) { \
	.symbol = (of), .name = (as), .call = (how), .size_argument = (size), \
	.pointer_argument = (pointer), __VA_ARGS__ \
}

/* What C programs call. */
#define PLAIN(of, how, size, pointer) ROW(of, of, how, size, pointer, .is_named = false)

/* What counts only beside malloc: allocators' own functions. */
#define BESIDE(of, as, how, size, pointer) ROW(of, as, how, size, pointer, .needs_malloc = true)
#define THROWING(of, as) ROW(of, as, CALL_ALLOC, 0, 0, .needs_malloc = true, .throws = true)

/* Under a prefix of one allocator's. */
#define OWN(of, how, size, pointer) ROW(of, of, how, size, pointer, .may_be_local = true)
#define OWN_THROWING(of, how, size, pointer) \
	ROW(of, of, how, size, pointer, .may_be_local = true, .throws = true)

/* As configure --with-jemalloc-prefix makes them; Rust's has _rjem_. */
#define JEMALLOC(prefix) \
	OWN(prefix "malloc", CALL_ALLOC, 0, 0), \
	OWN(prefix "calloc", CALL_ALLOC_ARRAY, 1, 0), \
	OWN(prefix "realloc", CALL_RESIZE, 1, 0), \
	OWN(prefix "free", CALL_FREE, 0, 0), \
	OWN(prefix "free_sized", CALL_FREE, 0, 0), \
	OWN(prefix "free_aligned_sized", CALL_FREE, 0, 0), \
	OWN(prefix "memalign", CALL_ALLOC, 1, 0), \
	OWN(prefix "aligned_alloc", CALL_ALLOC, 1, 0), \
	OWN(prefix "posix_memalign", CALL_ALLOC_INTO, 2, 0), \
	OWN(prefix "valloc", CALL_ALLOC, 0, 0), \
	OWN(prefix "pvalloc", CALL_ALLOC, 0, 0), \
	OWN(prefix "mallocx", CALL_ALLOC, 0, 0), \
	OWN(prefix "rallocx", CALL_RESIZE, 1, 0), \
	OWN(prefix "dallocx", CALL_FREE, 0, 0), \
	OWN(prefix "sdallocx", CALL_FREE, 0, 0)

/* Of the default heap, and of one that comes first. */
#define MIMALLOC(name, how, size, pointer) \
	OWN("mi_" name, how, size, pointer), \
	OWN("mi_heap_" name, how, (size) + 1, (pointer) + 1)
#define MIMALLOC_ALIGNED(name, how, size, pointer) \
	MIMALLOC(name, how, size, pointer), \
	MIMALLOC(name "_aligned", how, size, pointer), \
	MIMALLOC(name "_aligned_at", how, size, pointer)

static const struct allocator_function known[] = {
	PLAIN("malloc", CALL_ALLOC, 0, 0),
	PLAIN("calloc", CALL_ALLOC_ARRAY, 1, 0),
	PLAIN("realloc", CALL_RESIZE, 1, 0),
	PLAIN("reallocarray", CALL_RESIZE_ARRAY, 2, 0),
	PLAIN("free", CALL_FREE, 0, 0),
	PLAIN("cfree", CALL_FREE, 0, 0),
	PLAIN("free_sized", CALL_FREE, 0, 0),
	PLAIN("free_aligned_sized", CALL_FREE, 0, 0),
	PLAIN("memalign", CALL_ALLOC, 1, 0),
	PLAIN("aligned_alloc", CALL_ALLOC, 1, 0),
	PLAIN("posix_memalign", CALL_ALLOC_INTO, 2, 0),
	PLAIN("valloc", CALL_ALLOC, 0, 0),
	PLAIN("pvalloc", CALL_ALLOC, 0, 0),
	BESIDE("mallocx", "mallocx", CALL_ALLOC, 0, 0),
	BESIDE("rallocx", "rallocx", CALL_RESIZE, 1, 0),
	BESIDE("dallocx", "dallocx", CALL_FREE, 0, 0),
	BESIDE("sdallocx", "sdallocx", CALL_FREE, 0, 0),
	THROWING("_Znwm", "operator new"),
	BESIDE("_ZnwmRKSt9nothrow_t", "operator new", CALL_ALLOC, 0, 0),
	THROWING("_ZnwmSt11align_val_t", "operator new"),
	BESIDE("_ZnwmSt11align_val_tRKSt9nothrow_t", "operator new", CALL_ALLOC, 0, 0),
	THROWING("_Znam", "operator new[]"),
	BESIDE("_ZnamRKSt9nothrow_t", "operator new[]", CALL_ALLOC, 0, 0),
	THROWING("_ZnamSt11align_val_t", "operator new[]"),
	BESIDE("_ZnamSt11align_val_tRKSt9nothrow_t", "operator new[]", CALL_ALLOC, 0, 0),
	BESIDE("_ZdlPv", "operator delete", CALL_FREE, 0, 0),
	BESIDE("_ZdlPvm", "operator delete", CALL_FREE, 0, 0),
	BESIDE("_ZdlPvRKSt9nothrow_t", "operator delete", CALL_FREE, 0, 0),
	BESIDE("_ZdlPvSt11align_val_t", "operator delete", CALL_FREE, 0, 0),
	BESIDE("_ZdlPvmSt11align_val_t", "operator delete", CALL_FREE, 0, 0),
	BESIDE("_ZdlPvSt11align_val_tRKSt9nothrow_t", "operator delete", CALL_FREE, 0, 0),
	BESIDE("_ZdaPv", "operator delete[]", CALL_FREE, 0, 0),
	BESIDE("_ZdaPvm", "operator delete[]", CALL_FREE, 0, 0),
	BESIDE("_ZdaPvRKSt9nothrow_t", "operator delete[]", CALL_FREE, 0, 0),
	BESIDE("_ZdaPvSt11align_val_t", "operator delete[]", CALL_FREE, 0, 0),
	BESIDE("_ZdaPvmSt11align_val_t", "operator delete[]", CALL_FREE, 0, 0),
	BESIDE("_ZdaPvSt11align_val_tRKSt9nothrow_t", "operator delete[]", CALL_FREE, 0, 0),
	JEMALLOC("je_"),
	JEMALLOC("_rjem_"),
	OWN("tc_malloc", CALL_ALLOC, 0, 0),
	OWN("tc_malloc_skip_new_handler", CALL_ALLOC, 0, 0),
	OWN("tc_calloc", CALL_ALLOC_ARRAY, 1, 0),
	OWN("tc_realloc", CALL_RESIZE, 1, 0),
	OWN("tc_free", CALL_FREE, 0, 0),
	OWN("tc_free_sized", CALL_FREE, 0, 0),
	OWN("tc_cfree", CALL_FREE, 0, 0),
	OWN("tc_memalign", CALL_ALLOC, 1, 0),
	OWN("tc_posix_memalign", CALL_ALLOC_INTO, 2, 0),
	OWN("tc_valloc", CALL_ALLOC, 0, 0),
	OWN("tc_pvalloc", CALL_ALLOC, 0, 0),
	OWN_THROWING("tc_new", CALL_ALLOC, 0, 0),
	OWN_THROWING("tc_new_aligned", CALL_ALLOC, 0, 0),
	OWN("tc_new_nothrow", CALL_ALLOC, 0, 0),
	OWN("tc_new_aligned_nothrow", CALL_ALLOC, 0, 0),
	OWN_THROWING("tc_newarray", CALL_ALLOC, 0, 0),
	OWN_THROWING("tc_newarray_aligned", CALL_ALLOC, 0, 0),
	OWN("tc_newarray_nothrow", CALL_ALLOC, 0, 0),
	OWN("tc_newarray_aligned_nothrow", CALL_ALLOC, 0, 0),
	OWN("tc_delete", CALL_FREE, 0, 0),
	OWN("tc_delete_sized", CALL_FREE, 0, 0),
	OWN("tc_delete_nothrow", CALL_FREE, 0, 0),
	OWN("tc_delete_aligned", CALL_FREE, 0, 0),
	OWN("tc_delete_sized_aligned", CALL_FREE, 0, 0),
	OWN("tc_delete_aligned_nothrow", CALL_FREE, 0, 0),
	OWN("tc_deletearray", CALL_FREE, 0, 0),
	OWN("tc_deletearray_sized", CALL_FREE, 0, 0),
	OWN("tc_deletearray_nothrow", CALL_FREE, 0, 0),
	OWN("tc_deletearray_aligned", CALL_FREE, 0, 0),
	OWN("tc_deletearray_sized_aligned", CALL_FREE, 0, 0),
	OWN("tc_deletearray_aligned_nothrow", CALL_FREE, 0, 0),
	MIMALLOC_ALIGNED("malloc", CALL_ALLOC, 0, 0),
	MIMALLOC_ALIGNED("zalloc", CALL_ALLOC, 0, 0),
	MIMALLOC_ALIGNED("calloc", CALL_ALLOC_ARRAY, 1, 0),
	MIMALLOC_ALIGNED("realloc", CALL_RESIZE, 1, 0),
	MIMALLOC_ALIGNED("rezalloc", CALL_RESIZE, 1, 0),
	MIMALLOC_ALIGNED("recalloc", CALL_RESIZE_ARRAY, 2, 0),
	MIMALLOC("malloc_small", CALL_ALLOC, 0, 0),
	OWN("mi_zalloc_small", CALL_ALLOC, 0, 0),
	MIMALLOC("mallocn", CALL_ALLOC_ARRAY, 1, 0),
	MIMALLOC("reallocn", CALL_RESIZE_ARRAY, 2, 0),
	MIMALLOC("reallocf", CALL_RESIZE, 1, 0),
	OWN("mi_free", CALL_FREE, 0, 0),
	OWN("mi_free_size", CALL_FREE, 0, 0),
	OWN("mi_free_size_aligned", CALL_FREE, 0, 0),
	OWN("mi_free_aligned", CALL_FREE, 0, 0),
	OWN("mi_cfree", CALL_FREE, 0, 0),
	OWN("mi_memalign", CALL_ALLOC, 1, 0),
	OWN("mi_aligned_alloc", CALL_ALLOC, 1, 0),
	OWN("mi_posix_memalign", CALL_ALLOC_INTO, 2, 0),
	OWN("mi_valloc", CALL_ALLOC, 0, 0),
	OWN("mi_pvalloc", CALL_ALLOC, 0, 0),
	OWN("mi_reallocarray", CALL_RESIZE_ARRAY, 2, 0),
	OWN("mi_aligned_recalloc", CALL_RESIZE_ARRAY, 2, 0),
	OWN("mi_aligned_offset_recalloc", CALL_RESIZE_ARRAY, 2, 0),
	OWN_THROWING("mi_new", CALL_ALLOC, 0, 0),
	OWN_THROWING("mi_new_aligned", CALL_ALLOC, 0, 0),
	OWN("mi_new_nothrow", CALL_ALLOC, 0, 0),
	OWN("mi_new_aligned_nothrow", CALL_ALLOC, 0, 0),
	OWN_THROWING("mi_new_n", CALL_ALLOC_ARRAY, 1, 0),
	OWN_THROWING("mi_new_realloc", CALL_RESIZE, 1, 0),
	OWN_THROWING("mi_new_reallocn", CALL_RESIZE_ARRAY, 2, 0),
	OWN_THROWING("mi_heap_alloc_new", CALL_ALLOC, 1, 0),
	OWN_THROWING("mi_heap_alloc_new_n", CALL_ALLOC_ARRAY, 2, 0),
	/* glibc's and musl's loader call it at every change of the list of modules; <link.h>. */
	PLAIN("_dl_debug_state", CALL_LOADER, 0, 0),
	/* Where a handler begins; Itanium C++ ABI: exception handling, 2.5.3. */
	PLAIN("__cxa_begin_catch", CALL_CATCH, 0, 0),
};

#define NR_KNOWN (sizeof(known) / sizeof(known[0]))

static struct allocator_function named[ALLOCATORS_NAMED_MAX];
static size_t nr_named;

const struct allocator_function *allocator_function(size_t number)
{
	return number < NR_KNOWN ? &known[number] : &named[number - NR_KNOWN];
}

size_t allocator_functions_nr(void)
{
	return NR_KNOWN + nr_named;
}

/* Where only frees are named, the blocks are those of the known functions. */
static void tell_pools(void)
{
	bool is_pool = false;

	for (size_t i = 0; i < nr_named; i++)
		is_pool |= named[i].call != CALL_FREE;
	for (size_t i = 0; i < nr_named; i++)
		named[i].is_pool = is_pool;
}

/* As it is in the table already. */
static bool is_known(const char *name, enum allocator_call call, unsigned argument)
{
	for (size_t i = 0; i < NR_KNOWN; i++)
		if (!strcmp(known[i].symbol, name) && known[i].call == call)
			return argument == (call == CALL_FREE ? known[i].pointer_argument
							      : known[i].size_argument);
	return false;
}

int allocators_add(const char *name, size_t name_bytes, enum allocator_call call,
		   unsigned argument)
{
	char *copy = strndup(name, name_bytes);
	bool is_old = copy && is_known(copy, call, argument);

	if (!copy || is_old || nr_named == ALLOCATORS_NAMED_MAX) {
		free(copy);
		return !copy ? -ENOMEM : is_old ? 0 : -ENOSPC;
	}
	named[nr_named++] = (struct allocator_function){
		.symbol = copy, .name = copy, .call = call,
		.size_argument = (uint8_t)argument, .pointer_argument = (uint8_t)argument,
		.throws = !strncmp(copy, "_Z", 2) || !strncmp(copy, "_R", 2),
		.may_be_local = true, .is_named = true,
	};
	tell_pools();
	return 0;
}

static bool is_named_anew(const char *symbol)
{
	for (size_t i = 0; i < nr_named; i++)
		if (!strcmp(named[i].symbol, symbol))
			return true;
	return false;
}

const char *const *allocator_symbols(void)
{
	static const char *symbols[NR_KNOWN + ALLOCATORS_NAMED_MAX];

	/* No symbol is called as those are that mean something else now. */
	for (size_t i = 0; i < NR_KNOWN; i++)
		symbols[i] = is_named_anew(known[i].symbol) ? " " : known[i].symbol;
	for (size_t i = 0; i < nr_named; i++)
		symbols[NR_KNOWN + i] = named[i].symbol;
	return symbols;
}
