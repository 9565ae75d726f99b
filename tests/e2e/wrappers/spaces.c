/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * spaces [late]: a second C library in a namespace of its own, with a malloc of its own.  Blocks of
 * either are freed by their own.  It is loaded before "ready", or after it.
 */
#include <dlfcn.h>

#include "truth.h"

static void *(*their_malloc)(size_t), *(*their_realloc)(void *, size_t);
static char *(*their_strdup)(const char *);
static void (*their_free)(void *);

static void *symbol(void *library, const char *name)
{
	void *found = dlsym(library, name);

	MUST(found);
	return found;
}

static void load(void)
{
	void *library = dlmopen(LM_ID_NEWLM, "libc.so.6", RTLD_NOW);

	if (!library)
		say("WRONG %s\n", dlerror());
	MUST(library);
	*(void **)&their_malloc = symbol(library, "malloc");
	*(void **)&their_realloc = symbol(library, "realloc");
	*(void **)&their_strdup = symbol(library, "strdup");
	*(void **)&their_free = symbol(library, "free");
	MUST(their_malloc != malloc && their_free != free);
}

static void use(int i)
{
	char *kept = T_NEW(their_malloc(71), 71);		/* LIVE theirs */
	char *freed = T_NEW(their_malloc(72), 72), *text = T_NEW(their_strdup("text"), 5);
	char *ours = T_MALLOC(73);				/* LIVE ours */
	char *other = T_MALLOC(74);

	check_block(kept, 71, i);
	check_block(ours, 73, i);
	truth_freed(72);
	freed = T_NEW(their_realloc(freed, 5000), 5000);
	MUST(text && freed && other && filled(kept, 71, i));
	truth_freed(5000);
	their_free(freed);
	truth_freed(5);
	their_free(text);
	T_FREE(other, 74);
}

int main(int argc, char **argv)
{
	if (argc < 2)
		load();
	stage("ready");
	if (argc > 1)
		load();
	for (int i = 0; i < 50; i++)
		use(i);
	tell_truth();
	stage("done");
	return correct();
}
