/* SPDX-License-Identifier: GPL-2.0-or-later */
/* leaves [LIBRARY...]: the first thread ends, then another allocates and loads the libraries. */
#include <pthread.h>
#ifndef NO_DLOPEN
#include <dlfcn.h>
#endif

#include "truth.h"

static pthread_t leader;
static char **libraries;

static void load_next(void)
{
#ifndef NO_DLOPEN
	if (*libraries)
		MUST(dlopen(*libraries++, RTLD_NOW));
#endif
}

static void *worker(void *unused)
{
	pthread_join(leader, NULL);
	for (int i = 1; i <= 500; i++) {
		void *block = T_MALLOC(i);	/* LIVE */

		if (i % 5)
			T_FREE(block, i);
		if (i % 100 == 0)
			load_next();
	}
	tell_truth();
	stage("done");
	for (int i = 0; i < 1000; i++)
		free(malloc(50));
	correct();
	exit(0);
	return unused;
}

int main(int argc, char **argv)
{
	pthread_t thread;

	libraries = argv + 1;
	leader = pthread_self();
	MUST(pthread_create(&thread, NULL, worker, NULL) == 0);
	stage("ready");
	pthread_exit(NULL);
}
