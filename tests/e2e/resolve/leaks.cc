// SPDX-License-Identifier: GPL-2.0-or-later
/* Leaks by malloc, by new, and in a function that is inlined. */
#include "truth.h"

static inline __attribute__((always_inline)) char *inlined(void)
{
	return static_cast<char *>(T_MALLOC(300));	/* INLINED */
}

namespace shop {
struct Order {
	char bytes[200];
};

__attribute__((noinline)) Order *order(void)
{
	return static_cast<Order *>(T_NEW(new Order, sizeof(Order)));	/* NEW */
}
}

__attribute__((noinline)) char *plain(void)
{
	char *block = static_cast<char *>(T_MALLOC(123));	/* PLAIN */

	block[0] = 1;
	return block;
}

int main(void)
{
	stage("ready");
	MUST(plain() && inlined() && shop::order());
	tell_truth();
	stage("done");
	return correct();
}
