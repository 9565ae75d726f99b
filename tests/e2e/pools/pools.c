/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pools [THREADS]: allocators of the program's own, above malloc, each with functions of another
 * shape; every thread has pools of its own.  What the pools do inside does not count, what is
 * called outside of them does, also where both have the same address.
 */
#include "crew.h"
#include "pool.h"

#define ROUNDS 60

/* (pool, size), (pool, object) */
__attribute__((noinline)) void *pool_get(struct pool *pool, size_t size)
{
	return size <= pool->size ? pool_take(pool) : NULL;
}

__attribute__((noinline)) void pool_put(struct pool *pool, void *object)
{
	if (object)
		pool_give(pool, object);
}

/* Static, and no size: each counts as one byte. */
static __attribute__((noinline)) void *node_new(struct pool *pool)
{
	return pool_take(pool);
}

static __attribute__((noinline)) void node_free(void *node, struct pool *pool)
{
	pool_give(pool, node);
}

/* The last argument in a register is the size; a failure is no address, but not NULL either. */
__attribute__((noinline)) void *many_get(int a, int b, int c, int d, struct pool *pool, size_t size)
{
	return a + b + c + d == 10 && size <= pool->size ? pool_take(pool) : (void *)-1;
}

__attribute__((noinline)) void many_put(int a, int b, int c, int d, int e, struct pool *pool,
					void *object)
{
	if (a + b + c + d + e == 15)
		pool_give(pool, object);
}

/* Of the same object, and of fewer arguments. */
__attribute__((noinline)) void last_put(int a, int b, int c, int d, struct pool *pool, void *object)
{
	many_put(a, b, c, d, 5, pool, object);
}

/* Another name of the same function: it is one. */
extern __typeof__(pool_get) pool_get_alias __attribute__((alias("pool_get")));

/* A wrapper that leaves no frame, and one whose block malloc's own free() takes. */
__attribute__((noinline, optimize("O2"))) void *x_malloc(size_t size)
{
	return malloc(size);
}

__attribute__((noinline, optimize("O2"))) void x_free(void *block)
{
	free(block);
}

static void use_pool(struct pool *pool, int i)
{
	void *kept = T_NEW(pool_get(pool, 40), 40);		/* LIVE get */
	void *freed = T_NEW(pool_get_alias(pool, 39), 39);

	check_block(kept, 40, i);
	check_block(freed, 39, i + 1);
	MUST(filled(kept, 40, i));
	truth_freed(39);
	pool_put(pool, freed);
	pool_put(pool, NULL);
	MUST(!T_NEW(pool_get(pool, 1000), 1000));
}

static void use_nodes(struct pool *pool, int i)
{
	void *kept = T_NEW(node_new(pool), 1);			/* LIVE node */
	void *freed = T_NEW(node_new(pool), 1);

	check_block(kept, 24, i);
	truth_freed(1);
	node_free(freed, pool);
}

static void use_many(struct pool *pool, int i)
{
	void *kept = T_NEW(many_get(1, 2, 3, 4, pool, 64), 64);	/* LIVE many */
	void *freed = T_NEW(many_get(1, 2, 3, 4, pool, 63), 63);

	check_block(kept, 64, i);
	truth_freed(63);
	last_put(1, 2, 3, 4, pool, freed);
	TRUTH_ADD(failed, 1);
	MUST(many_get(1, 2, 3, 4, pool, 65) == (void *)-1);
}

static void use_wrapper(int i)
{
	char *kept = T_NEW(x_malloc(100), 100);			/* LIVE wrapped */
	char *freed = T_NEW(x_malloc(101), 101), *other = T_NEW(x_malloc(102), 102);
	char *plain = T_MALLOC(103), *grown = T_NEW(x_malloc(104), 104);

	check_block(kept, 100, i);
	truth_freed(101);
	x_free(freed);
	T_FREE(other, 102);
	truth_freed(103);
	x_free(plain);
	grown = T_REALLOC(grown, 104, 3000);
	truth_freed(3000);
	x_free(grown);
}

/* Memory that the program itself has, and the pool gives out from its very start. */
static void use_carved(int i)
{
	struct pool pool = { .size = 48 };

	pool.chunk = T_MALLOC(48 * POOL_OBJECTS);
	for (int n = 0; n < POOL_OBJECTS; n++) {
		void *object = T_NEW(pool_get(&pool, 48), 48);	/* LIVE carved */

		check_block(object, 48, i);
		if (n == 7)
			continue;
		truth_freed(48);
		pool_put(&pool, object);
		pool.free = NULL;
	}
	T_FREE(pool.chunk, 48 * POOL_OBJECTS);
}

static void *work(void *unused)
{
	struct pool pool, nodes, many;

	pool_init(&pool, 40);
	pool_init(&nodes, 24);
	pool_init(&many, 64);
	crew_begin();
	for (int i = 0; i < ROUNDS; i++) {
		use_pool(&pool, i);
		use_nodes(&nodes, i);
		use_many(&many, i);
		use_wrapper(i);
		if (!i)
			use_carved(i);
	}
	crew_rest();
	return unused;
}

int main(int argc, char **argv)
{
	crew_gather(argc > 1 ? atoi(argv[1]) : 1, work);
	stage("ready");
	crew_work();
	tell_truth();
	stage("done");
	crew_leave();
	return correct();
}
