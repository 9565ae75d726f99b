/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A library that allocates while it is loaded, used and closed. */
#include <stdlib.h>

static int *kept;

__attribute__((constructor)) static void loaded(void)
{
	kept = malloc(sizeof(*kept));
	if (!kept)
		abort();
	*kept = 1;
}

__attribute__((destructor)) static void closed(void)
{
	free(kept);
}

int plugin_sum(int n)
{
	int *number = calloc(n, sizeof(*number)), sum = 0;

	for (int i = 0; i < n; i++)
		number[i] = i + *kept;
	for (int i = 0; i < n; i++)
		sum += number[i];
	free(number);
	return sum;
}
