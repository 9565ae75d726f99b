/* SPDX-License-Identifier: GPL-2.0-or-later */
/* unload FIRST SECOND: each library is loaded, leaks, and is closed again. */
#include <dlfcn.h>

#include "truth.h"

static char *leak(const char *path, const char *name)
{
	void *library = dlopen(path, RTLD_NOW), *(*work)(void);
	void *place;

	MUST(library);
	*(void **)&work = dlsym(library, name);
	MUST(work && work());
	place = *(void **)&work;
	MUST(dlclose(library) == 0);
	MUST(!dlopen(path, RTLD_NOW | RTLD_NOLOAD));
	return place;
}

int main(int argc, char **argv)
{
	char *first, *second;

	stage("ready");
	for (int i = 0; i < 5; i++) {
		first = leak(argv[1], "first_work");
		second = leak(argv[2], "second_work");
		say("%s place\n", first == second ? "same" : "another");
	}
	tell_truth();
	stage("done");
	return correct();
}
