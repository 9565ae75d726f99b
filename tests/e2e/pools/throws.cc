/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pools in C++, which throw when they are full, from within and from what they call. */
#include <new>

#include "pool.h"
#include "truth.h"

struct Full { };

class Pool {
	struct pool pool;
	int left = 25;
public:
	explicit Pool(size_t size) { pool_init(&pool, size); }
	__attribute__((noinline)) void *get(size_t size);
	__attribute__((noinline)) void put(void *object);
};

void *Pool::get(size_t size)
{
	if (size > pool.size)
		throw std::bad_alloc();
	if (!left)
		throw Full();
	left--;
	return pool_take(&pool);
}

void Pool::put(void *object)
{
	if (!object)
		throw Full();
	left++;
	pool_give(&pool, object);
}

extern "C" __attribute__((noinline)) void *plain_get(Pool *pool, size_t size)
{
	return size < 8 ? nullptr : pool->get(size);
}

template <class What, class Function> static void must_throw(Function function)
{
	bool thrown = false;

	try {
		function();
	} catch (const What &) {
		thrown = true;
	}
	MUST(thrown);
}

static void work()
{
	Pool pool(48);
	void *objects[25], *block;

	for (int i = 0; i < 25; i++)
		objects[i] = i % 2 ? T_NEW(pool.get(48), 48)		/* LIVE get */
				   : T_NEW(plain_get(&pool, 40), 40);	/* LIVE plain */
	for (int i = 0; i < 10; i++) {
		must_throw<Full>([&] { pool.get(20); });
		must_throw<std::bad_alloc>([&] { plain_get(&pool, 100); });
		must_throw<Full>([&] { pool.put(nullptr); });
		/* None of them is under way any more. */
		block = T_MALLOC(70);					/* LIVE after */
		check_block(block, 70, i);
		T_FREE(T_MALLOC(71), 71);
	}
	for (int i = 0; i < 5; i++) {
		truth_freed(i % 2 ? 48 : 40);
		pool.put(objects[i]);
	}
}

int main()
{
	/* The C++ library allocates for its exceptions, too. */
	must_throw<Full>([] { throw Full(); });
	stage("ready");
	for (int i = 0; i < 20; i++)
		work();
	tell_truth();
	stage("done");
	return correct();
}
