/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verdict grow SECONDS: keeps ever more, in a list.  verdict level SECONDS: frees all it takes. */
#include <time.h>

#include "truth.h"

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	int grow = strcmp(argv[1], "grow") == 0;
	static void *volatile kept;
	double end;

	stage("ready");
	for (end = now() + atof(argv[2]); now() < end; usleep(5000)) {
		void *block = T_MALLOC(1000);			/* GROWS */

		if (!grow) {
			T_FREE(block, 1000);
			continue;
		}
		*(void **)block = kept;
		kept = block;
	}
	tell_truth();
	stage("done");
	return correct();
}
