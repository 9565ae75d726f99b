/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reload LIBRARY ROUNDS: loads an allocator, uses it and unloads it, again and again. */
#include <dlfcn.h>

#include "truth.h"

static void one_round(const char *path)
{
	void *library = dlopen(path, RTLD_NOW), *(*allocate)(size_t);
	void (*release)(void *);

	MUST(library);
	*(void **)&allocate = dlsym(library, "malloc");
	*(void **)&release = dlsym(library, "free");
	MUST(allocate && release && allocate != malloc && release != free);
	for (int i = 0; i < 10; i++) {
		void *block = T_NEW(allocate(48), 48);	/* LIVE */

		MUST(block);
		if (i)
			truth_freed(48), release(block);
	}
	MUST(dlclose(library) == 0);
	MUST(!dlopen(path, RTLD_NOW | RTLD_NOLOAD));
}

int main(int argc, char **argv)
{
	MUST(argc == 3);
	stage("ready");
	for (int i = 0; i < atoi(argv[2]); i++)
		one_round(argv[1]);
	tell_truth();
	stage("done");
	return correct();
}
