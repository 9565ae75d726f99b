/* SPDX-License-Identifier: GPL-2.0-or-later */
/* leaks [WHAT]: what a script can find in a log of mtrace: nothing, or each of its kinds. */
#include <signal.h>

#include "library.h"
#include "truth.h"

static void clean(void)
{
	void *a = malloc(10), *b = realloc(malloc(20), 300000);

	free(a);
	free(realloc(b, 30));
	library_free(library_new(40));
}

static void leak(void)
{
	void *a = malloc(11);	/* LEAK malloc */
	void *b = malloc(22);

	b = realloc(b, 400000);	/* LEAK realloc */
	library_new(44);
	MUST(a && b);
}

/* The C library ends the program. */
static void free_twice(void)
{
	void *a = malloc(55);

	free(a);
	free(a);		/* TWICE */
}

int main(int argc, char **argv)
{
	stage("ready");
	clean();
	if (argc > 1)
		leak();
	if (argc > 1 && !strcmp(argv[1], "twice"))
		free_twice();
	return correct();
}
