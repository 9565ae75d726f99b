/* SPDX-License-Identifier: GPL-2.0-or-later */
/* threads N: so many threads one after the other, most of them at the same place in memory; each
 * allocates as many bytes as its number in the kernel says, and tells it. */
#include <pthread.h>

#include "truth.h"

static void *work(void *unused)
{
	say("thread %d\n", gettid());
	free(malloc(gettid()));		/* OWN */
	return unused;
}

int main(int argc, char **argv)
{
	pthread_t thread;

	stage("ready");
	for (int i = 0; i < (argc > 1 ? atoi(argv[1]) : 10); i++) {
		MUST(pthread_create(&thread, NULL, work, NULL) == 0);
		MUST(pthread_join(thread, NULL) == 0);
	}
	return correct();
}
