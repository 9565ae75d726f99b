/* SPDX-License-Identifier: GPL-2.0-or-later */
/* unloads LIBRARY: forks and closes an allocator at once, which the child goes on to use. */
#include <dlfcn.h>
#include <sys/wait.h>

#include "truth.h"

static void one_round(const char *path)
{
	void *library = dlopen(path, RTLD_NOW), *(*allocate)(size_t);
	void (*release)(void *);
	pid_t child;
	int status;

	MUST(library);
	*(void **)&allocate = dlsym(library, "malloc");
	*(void **)&release = dlsym(library, "free");
	release(allocate(10));
	child = fork();
	if (child == 0) {
		for (int i = 0; i < 300; i++)
			release(allocate(i % 90));
		_exit(7);
	}
	MUST(child > 0 && dlclose(library) == 0);
	MUST(waitpid(child, &status, 0) == child);
	MUST(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

int main(int argc, char **argv)
{
	MUST(argc == 2);
	stage("ready");
	for (int i = 0; i < 20; i++)
		one_round(argv[1]);
	stage("done");
	return correct();
}
