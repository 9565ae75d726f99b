/* SPDX-License-Identifier: GPL-2.0-or-later */
/* N pairs of malloc and free, and nothing else. */
#include "truth.h"

int main(int argc, char **argv)
{
	int pairs = argc > 1 ? atoi(argv[1]) : 1000;

	stage("ready");
	for (int i = 0; i < pairs; i++) {
		void *block = T_MALLOC(i % 500);

		T_FREE(block, i % 500);
	}
	tell_truth();
	stage("done");
	return correct();
}
