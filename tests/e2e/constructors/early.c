/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Constructors and main: 2 + 2 + 2 allocations, 1 + 1 + 1 frees, and one pair at the end. */
#include <stdlib.h>

extern char *library_block;
static char *own_block;

__attribute__((constructor)) static void own_constructor(void)
{
	own_block = malloc(92);			/* LIVE program */
	free(malloc(5));
}

int main(void)
{
	char *block = malloc(93);		/* LIVE main */

	free(malloc(5));
	return !library_block || !own_block || !block;
}
