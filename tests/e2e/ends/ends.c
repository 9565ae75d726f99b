/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ends WAY: leaves blocks behind and ends in that way. */
#include <signal.h>

#include "truth.h"

int main(int argc, char **argv)
{
	const char *way = argv[1];

	stage("ready");
	for (int i = 0; i < 12; i++) {
		void *block = T_MALLOC(300);	/* LIVE */

		if (i % 3 == 0)
			T_FREE(block, 300);
	}
	tell_truth();
	if (strcmp(way, "wait") == 0)
		for (;;)
			pause();
	if (strcmp(way, "segv") == 0)
		*(volatile int *)8 = 1;
	if (strcmp(way, "kill") == 0)
		raise(SIGKILL);
	if (strcmp(way, "term") == 0)
		raise(SIGTERM);
	if (strcmp(way, "trap") == 0)
		__asm__ volatile("int3");	/* its own, not memtrace's */
	if (strcmp(way, "abort") == 0)
		abort();
	_exit(7);
}
