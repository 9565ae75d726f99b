/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Built twice, as first and second, with the same layout but other lines. */
#include <stdlib.h>

#ifdef FIRST
void *first_work(void)
{
	char *block = malloc(71);	/* LEAK first */

	block[0] = 1;
	return block;
}
#else
void *second_work(void)
{
	char *block = malloc(72);	/* LEAK second */

	block[0] = 1;
	return block;
}
#endif
