/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The library of service.c. */
#include <stdlib.h>

#ifdef NEW
#define PAD(n) int not_there_##n(int a) { return a * n + n; }
PAD(1) PAD(2) PAD(3) PAD(4) PAD(5) PAD(6) PAD(7) PAD(8) PAD(9)
#endif

char *library_leaks(void)
{
	char *block = malloc(82);	/* LEAK library */

	block[0] = 1;
	return block;
}
