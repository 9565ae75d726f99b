/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of allocation functions.  Sources: malloc(3), posix_memalign(3), C23 7.24.3
 * (free_sized), jemalloc(3) for the *allocx family, and the Itanium C++ ABI's mangling of the
 * replaceable operators of C++17 [new.delete].
 */
#include "allocators.h"

const struct allocator_function allocator_functions[] = {
	{ "malloc", "malloc", CALL_ALLOC, 0, 0, 0, 0 },
	{ "calloc", "calloc", CALL_ALLOC_ARRAY, 1, 0, 0, 0 },
	{ "realloc", "realloc", CALL_RESIZE, 1, 0, 0, 0 },
	{ "reallocarray", "reallocarray", CALL_RESIZE_ARRAY, 2, 0, 0, 0 },
	{ "free", "free", CALL_FREE, 0, 0, 0, 0 },
	{ "cfree", "cfree", CALL_FREE, 0, 0, 0, 0 },
	{ "free_sized", "free_sized", CALL_FREE, 0, 0, 0, 0 },
	{ "free_aligned_sized", "free_aligned_sized", CALL_FREE, 0, 0, 0, 0 },
	{ "memalign", "memalign", CALL_ALLOC, 1, 0, 0, 0 },
	{ "aligned_alloc", "aligned_alloc", CALL_ALLOC, 1, 0, 0, 0 },
	{ "posix_memalign", "posix_memalign", CALL_ALLOC_INTO, 2, 0, 0, 0 },
	{ "valloc", "valloc", CALL_ALLOC, 0, 0, 0, 0 },
	{ "pvalloc", "pvalloc", CALL_ALLOC, 0, 0, 0, 0 },
	{ "mallocx", "mallocx", CALL_ALLOC, 0, 0, 1, 0 },
	{ "rallocx", "rallocx", CALL_RESIZE, 1, 0, 1, 0 },
	{ "dallocx", "dallocx", CALL_FREE, 0, 0, 1, 0 },
	{ "sdallocx", "sdallocx", CALL_FREE, 0, 0, 1, 0 },
	{ "_Znwm", "operator new", CALL_ALLOC, 0, 0, 1, 1 },
	{ "_ZnwmRKSt9nothrow_t", "operator new", CALL_ALLOC, 0, 0, 1, 0 },
	{ "_ZnwmSt11align_val_t", "operator new", CALL_ALLOC, 0, 0, 1, 1 },
	{ "_ZnwmSt11align_val_tRKSt9nothrow_t", "operator new", CALL_ALLOC, 0, 0, 1, 0 },
	{ "_Znam", "operator new[]", CALL_ALLOC, 0, 0, 1, 1 },
	{ "_ZnamRKSt9nothrow_t", "operator new[]", CALL_ALLOC, 0, 0, 1, 0 },
	{ "_ZnamSt11align_val_t", "operator new[]", CALL_ALLOC, 0, 0, 1, 1 },
	{ "_ZnamSt11align_val_tRKSt9nothrow_t", "operator new[]", CALL_ALLOC, 0, 0, 1, 0 },
	{ "_ZdlPv", "operator delete", CALL_FREE, 0, 0, 1, 0 },
	{ "_ZdlPvm", "operator delete", CALL_FREE, 0, 0, 1, 0 },
	{ "_ZdlPvRKSt9nothrow_t", "operator delete", CALL_FREE, 0, 0, 1, 0 },
	{ "_ZdlPvSt11align_val_t", "operator delete", CALL_FREE, 0, 0, 1, 0 },
	{ "_ZdlPvmSt11align_val_t", "operator delete", CALL_FREE, 0, 0, 1, 0 },
	{ "_ZdlPvSt11align_val_tRKSt9nothrow_t", "operator delete", CALL_FREE, 0, 0, 1, 0 },
	{ "_ZdaPv", "operator delete[]", CALL_FREE, 0, 0, 1, 0 },
	{ "_ZdaPvm", "operator delete[]", CALL_FREE, 0, 0, 1, 0 },
	{ "_ZdaPvRKSt9nothrow_t", "operator delete[]", CALL_FREE, 0, 0, 1, 0 },
	{ "_ZdaPvSt11align_val_t", "operator delete[]", CALL_FREE, 0, 0, 1, 0 },
	{ "_ZdaPvmSt11align_val_t", "operator delete[]", CALL_FREE, 0, 0, 1, 0 },
	{ "_ZdaPvSt11align_val_tRKSt9nothrow_t", "operator delete[]", CALL_FREE, 0, 0, 1, 0 },
	/* glibc's and musl's loader call it at every change of the list of modules; <link.h>. */
	{ "_dl_debug_state", "_dl_debug_state", CALL_LOADER, 0, 0, 0, 0 },
};

#define NR_FUNCTIONS (sizeof(allocator_functions) / sizeof(allocator_functions[0]))

const size_t allocator_functions_nr = NR_FUNCTIONS;

const char *const *allocator_symbols(void)
{
	static const char *symbols[NR_FUNCTIONS];

	for (size_t i = 0; i < NR_FUNCTIONS; i++)
		symbols[i] = allocator_functions[i].symbol;
	return symbols;
}
