/* SPDX-License-Identifier: GPL-2.0-or-later */
/* late PLUGIN [ALLOCATOR]: loads both only after "ready". */
#include <dlfcn.h>

#include "truth.h"

typedef void plugin_fn(void *(*)(size_t), void (*)(void *));

int main(int argc, char **argv)
{
	void *(*allocate)(size_t) = malloc;
	void (*release)(void *) = free;
	plugin_fn *work;
	void *library;

	stage("ready");
	if (argc > 2) {
		library = dlopen(argv[2], RTLD_NOW);
		if (!library)
			say("WRONG %s\n", dlerror());
		*(void **)&allocate = dlsym(library, "malloc");
		*(void **)&release = dlsym(library, "free");
		MUST(allocate && release && allocate != malloc && release != free);
	}
	library = dlopen(argv[1], RTLD_NOW);
	MUST(library);
	*(void **)&work = dlsym(library, "plugin_work");
	work(allocate, release);
	tell_truth();
	stage("done");
	return correct();
}
