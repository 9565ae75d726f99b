/* SPDX-License-Identifier: GPL-2.0-or-later */
/* service LIBRARY: leaks in the program and in the library; the new version does so elsewhere. */
#include <dlfcn.h>

#include "truth.h"

#ifdef NEW
/* Moves what follows, and has the old one's places. */
#define PAD(n) __attribute__((noinline)) int not_there_##n(int a) { return a * n + n; }
PAD(1) PAD(2) PAD(3) PAD(4) PAD(5) PAD(6) PAD(7) PAD(8) PAD(9)
#endif

__attribute__((noinline)) char *program_leaks(void)
{
	char *block = T_MALLOC(81);	/* LEAK program */

	block[0] = 1;
	return block;
}

int main(int argc, char **argv)
{
	void *library = dlopen(argv[1], RTLD_NOW);
	char *(*leaks)(void), *block;

	MUST(library);
	*(void **)&leaks = dlsym(library, "library_leaks");
	MUST(leaks);
	stage("ready");
	block = truth_allocated(leaks(), 82);
	MUST(*program_leaks() + *block == 2);
	tell_truth();
	stage("done");
	return correct();
}
