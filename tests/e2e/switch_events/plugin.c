/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A library with a leak. */
#include <stdlib.h>

void use(int nr)
{
	for (int i = 0; i < nr; i++) {
		char *own = malloc(55);			/* LIVE own */

		own[0] = 1;
	}
}
