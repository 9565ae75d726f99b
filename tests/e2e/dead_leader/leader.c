/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The first thread has ended; the process lives on in another. */
#include <pthread.h>

#include "truth.h"

static pthread_t leader;

static void *worker(void *unused)
{
	pthread_join(leader, NULL);
	stage("ready");
	for (int i = 1; i <= 500; i++) {
		void *block = T_MALLOC(i);	/* LIVE */

		if (i % 5)
			T_FREE(block, i);
	}
	tell_truth();
	stage("done");
	correct();
	exit(0);
	return unused;
}

int main(void)
{
	pthread_t thread;

	leader = pthread_self();
	MUST(pthread_create(&thread, NULL, worker, NULL) == 0);
	pthread_exit(NULL);
}
