/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A library that a Python program calls and that leaks. */
#include <stdlib.h>

char *planted(int n)
{
	char *block = malloc(1000 + n);		/* LEAK */

	block[0] = n;
	return block + 1;
}
