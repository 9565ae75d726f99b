/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the hostile libraries do. */
#include <stdlib.h>

static __attribute__((noinline)) char *allocate(size_t bytes)
{
	char *block = malloc(bytes);	/* LEAK */

	block[0] = 1;
	return block;
}

char *leak_here(size_t bytes)
{
	char *block = allocate(bytes);

	return block ? block : "";
}
