/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A library whose constructor allocates. */
#include <stdlib.h>

char *library_block;

__attribute__((constructor)) static void library_constructor(void)
{
	library_block = malloc(91);		/* LIVE library */
	free(malloc(5));
}

__attribute__((destructor)) static void library_destructor(void)
{
	free(malloc(6));
}
