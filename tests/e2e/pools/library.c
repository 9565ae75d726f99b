/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A library with a pool of its own, and with names that are no functions. */
#include "pool.h"

static struct pool pool = { .size = 56, .used = POOL_OBJECTS };

__attribute__((noinline)) void *late_get(size_t size)
{
	return size <= pool.size ? pool_take(&pool) : NULL;
}

__attribute__((noinline)) void late_put(void *object)
{
	pool_give(&pool, object);
}

int late_number = 5;

static void *late_choice(size_t size)
{
	return late_get(size);
}

static void *(*choose(void))(size_t)
{
	return late_choice;
}

void *late_chosen(size_t size) __attribute__((ifunc("choose")));
