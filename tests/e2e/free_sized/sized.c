/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Blocks given back with their size. */
#include "truth.h"

void free_sized(void *block, size_t size);
void free_aligned_sized(void *block, size_t alignment, size_t size);

int main(void)
{
	stage("ready");
	for (int i = 1; i <= 300; i++) {
		void *plain = T_MALLOC(i);
		void *page = T_NEW(aligned_alloc(256, 256 * i), 256 * i);

		fill(plain, i, i);
		MUST(filled(plain, i, i));
		if (i % 10 == 0)
			continue;
		truth_freed(i);
		free_sized(plain, i);
		truth_freed(256 * i);
		free_aligned_sized(page, 256, 256 * i);
	}
	free_sized(NULL, 10);
	tell_truth();
	stage("done");
	return correct();
}
