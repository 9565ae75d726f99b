/* SPDX-License-Identifier: GPL-2.0-or-later */
/* late LIBRARY ROUNDS: opens a library with a pool, uses it and closes it, again and again. */
#include <dlfcn.h>

#include "truth.h"

int main(int argc, char **argv)
{
	MUST(argc == 3);
	stage("ready");
	for (int i = 0; i < atoi(argv[2]); i++) {
		void *library = dlopen(argv[1], RTLD_NOW), *(*get)(size_t);
		void (*put)(void *), *object;

		MUST(library);
		*(void **)&get = dlsym(library, "late_get");
		*(void **)&put = dlsym(library, "late_put");
		MUST(get && put);
		for (int n = 0; n < 10; n++) {
			object = T_NEW(get(56), 56);		/* LIVE late */
			check_block(object, 56, n);
			if (n % 2)
				truth_freed(56), put(object);
		}
		/* What stays would be there again at the same place in the next round. */
		if (i + 1 < atoi(argv[2]))
			MUST(dlclose(library) == 0);
	}
	tell_truth();
	stage("done");
	return correct();
}
