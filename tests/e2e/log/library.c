/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "library.h"

#include <stdlib.h>

void *library_new(size_t size)
{
	return malloc(size);	/* LEAK library */
}

void library_free(void *block)
{
	free(block);
}
