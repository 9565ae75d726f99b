/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One row each. */
#include "runtimes.h"

static const struct runtime runtimes[] = {
	{ RUNTIME_GO, "go",
	  "Go: its heap is not malloc's: use pprof; what its C part (cgo) allocates is traced" },
	{ RUNTIME_JAVA, "java",
	  "Java: its heap is not malloc's; native memory is traced; generated code shows as [jit]" },
	{ RUNTIME_V8, "v8",
	  "JavaScript (V8, node): its heap is not malloc's; native memory is traced; generated code "
	  "shows as [jit]" },
	{ RUNTIME_PYTHON, "pymalloc",
	  "Python: small objects bypass malloc; restart with PYTHONMALLOC=malloc" },
	{ RUNTIME_ASAN, "asan",
	  "AddressSanitizer: its allocator is traced; its leak check fails if it ends while it is "
	  "traced: ASAN_OPTIONS=detect_leaks=0" },
	{ RUNTIME_LSAN, "lsan",
	  "LeakSanitizer: its allocator is traced; its leak check fails if it ends while it is "
	  "traced: LSAN_OPTIONS=detect_leaks=0" },
	{ RUNTIME_TSAN, "tsan", "ThreadSanitizer: its allocator is traced" },
	{ RUNTIME_MSAN, "msan", "MemorySanitizer: its allocator is traced" },
};

const struct runtime *runtime_at(size_t i)
{
	return i < sizeof(runtimes) / sizeof(*runtimes) ? &runtimes[i] : NULL;
}
