/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The first example of any text on leaks. */
#include <stdlib.h>

int main(void)
{
	char *a = malloc(10);
	char *b = malloc(20);	/* LEAK */
	char *c = malloc(30);

	free(a);
	free(c);
	return b == NULL;
}
