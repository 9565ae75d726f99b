/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Allocates a little, leaves one block, ends with 7. */
#include <stdlib.h>

int main(void)
{
	void *volatile block = malloc(99);	/* LIVE */

	for (int i = 0; i < 100; i++) {
		block = malloc(10);
		free(block);
	}
	return 7;
}
