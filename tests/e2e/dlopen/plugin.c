/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A library that is loaded late and allocates with whatever malloc is handed to it. */
#include <stdlib.h>

void plugin_work(void *(*allocate)(size_t), void (*release)(void *))
{
	for (int i = 0; i < 50; i++) {
		void *kept = allocate(33);		/* LIVE given */

		release(kept ? allocate(44) : NULL);
	}
	for (int i = 0; i < 20; i++) {
		char *own = malloc(55);			/* LIVE own */

		own[0] = 1;
	}
}
