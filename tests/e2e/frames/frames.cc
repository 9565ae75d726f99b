/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Frames that the compiler has merged, and names that need demangling. */
#include <string>

#include "truth.h"

namespace app {

template <typename T> class Cache {
	T *last = nullptr;

	inline __attribute__((always_inline)) T *fresh(size_t n)
	{
		return static_cast<T *>(T_MALLOC(n * sizeof(T)));	/* LIVE inlined */
	}

	inline __attribute__((always_inline)) void renew(size_t n)
	{
		last = fresh(n);					/* CALL fresh */
	}

public:
	__attribute__((noinline)) void put(const std::string &text, int n)
	{
		renew(n);						/* CALL renew */
		last[0] = text.size();
	}
};

__attribute__((noinline)) static int lambda_caller()
{
	auto allocate = [](size_t n) __attribute__((noinline)) {
		return (int *)T_MALLOC(n);				/* LIVE lambda */
	};

	return *allocate(50) = 3;					/* CALL lambda */
}

}

/* As rustc names them, in its old and its new way. */
extern "C" __attribute__((noinline)) char *old_rust() asm("_ZN5crate4pool4grow17h0123456789abcdefE");
char *old_rust()
{
	char *block = (char *)T_MALLOC(61);				/* LIVE old rust */

	block[0] = 1;
	return block;
}

extern "C" __attribute__((noinline)) char *new_rust() asm("_RNvNtCs1234_5crate4pool4take");
char *new_rust()
{
	char *block = (char *)T_MALLOC(62);				/* LIVE new rust */

	block[0] = 1;
	return block;
}

int main()
{
	static app::Cache<int> cache;

	stage("ready");
	for (int i = 0; i < 3; i++)
		cache.put("text", 10);					/* CALL put */
	MUST(app::lambda_caller() == 3);				/* CALL lambda_caller */
	old_rust();
	new_rust();
	tell_truth();
	stage("done");
	return correct();
}
