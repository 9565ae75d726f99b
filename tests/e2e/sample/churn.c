/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Frees each block at once. */
#include "truth.h"

int main(void)
{
	for (int i = 0; i < 10000; i++) {
		void *block = T_MALLOC(1000);

		T_FREE(block, 1000);
	}
	return correct();
}
