/* SPDX-License-Identifier: GPL-2.0-or-later */
/* host LIBRARY...: loads them all, then has each leak one block. */
#include <dlfcn.h>

#include "truth.h"

typedef char *leak_fn(size_t bytes);

int main(int argc, char **argv)
{
	leak_fn *leak[256];

	MUST(argc <= 256);
	for (int i = 1; i < argc; i++) {
		void *library = dlopen(argv[i], RTLD_NOW | RTLD_LOCAL);

		if (!library)
			say("WRONG %s\n", dlerror());
		*(void **)&leak[i] = dlsym(library, "leak_here");
		MUST(leak[i]);
	}
	stage("ready");
	for (int i = 1; i < argc; i++)
		MUST(T_NEW(leak[i]((size_t)i), (size_t)i));	/* CALL */
	tell_truth();
	stage("done");
	return correct();
}
