/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the C library has its data. */
#include <string.h>

#include "../base/array.h"
#include "arenas.h"

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool is_libc(const struct mapping *mapping)
{
	return !strncmp(base_name(mapping->path), "libc.", 5) ||
	       !strncmp(base_name(mapping->path), "libc-", 5);
}

static bool is_data(const struct mapping *mapping)
{
	return mapping->inode && mapping->readable && mapping->writable && !mapping->shared;
}

/* With the .bss behind it, which the kernel maps without a file. */
static int add_data(struct spans *spans, const struct maps *maps, size_t i)
{
	taddr_t start = maps->items[i].start, end = maps->items[i].end;

	if (i + 1 < maps->nr && maps->items[i + 1].start == end && !*maps->items[i + 1].path)
		end = maps->items[i + 1].end;
	if (ARRAY_GROW(spans))
		return -ENOMEM;
	spans->items[spans->nr++] = (struct span){ start, end };
	return 0;
}

int arenas_data(struct spans *spans, const struct maps *maps)
{
	int error = 0;

	for (unsigned round = 0; round < 2; round++)
		for (size_t i = 0; i < maps->nr && !error; i++)
			if (is_data(&maps->items[i]) && is_libc(&maps->items[i]) == !round)
				error = add_data(spans, maps, i);
	return error;
}
