/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ledger against a model: a plain array indexed by what the address is made from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../tracer/base/hash.h"
#include "../../tracer/heap/ledger.h"

#define NR_PLACES 20000u
#define NR_STEPS 400000u

static struct ledger ledger;

static int setup(void **state)
{
	return ledger_init(&ledger);
}

static int teardown(void **state)
{
	ledger_deinit(&ledger);
	return 0;
}

static taddr_t address_of(uint32_t place)
{
	return 0x7f0000000010 + (taddr_t)(place % 4) * 0x10000000000 + place / 4 * 16;
}

static int add(taddr_t address, uint64_t size, struct block *replaced)
{
	struct block block = { .address = address, .size = size, .time_ns = size * 3,
			       .site = (uint32_t)size };

	return ledger_add(&ledger, &block, replaced);
}

/* Of the block at that address; 0 if there is none. */
static uint64_t size_at(taddr_t address)
{
	struct block block;

	if (!ledger_find(&ledger, address, &block))
		return 0;
	assert_int_equal(block.address, address);
	assert_int_equal(block.time_ns, block.size * 3);
	assert_int_equal(block.site, (uint32_t)block.size);
	return block.size;
}

static void empty(void **state)
{
	struct block block;
	uint64_t cursor = 0;

	assert_false(ledger_find(&ledger, 16, &block));
	assert_false(ledger_remove(&ledger, 16, &block));
	assert_false(ledger_find(&ledger, 0, &block));
	assert_false(ledger_remove(&ledger, 0, &block));
	assert_false(ledger_next(&ledger, &cursor, &block));
}

static void add_find_remove(void **state)
{
	struct block block = { .address = 1 };

	assert_int_equal(add(0x1000, 7, &block), 0);
	assert_int_equal(block.address, 0);
	assert_int_equal(size_at(0x1000), 7);
	assert_int_equal(size_at(0x1010), 0);
	assert_true(ledger_remove(&ledger, 0x1000, &block));
	assert_int_equal(block.address, 0x1000);
	assert_int_equal(block.size, 7);
	assert_int_equal(block.time_ns, 21);
	assert_int_equal(block.site, 7);
	assert_false(ledger_remove(&ledger, 0x1000, &block));
	assert_int_equal(ledger.nr_live, 0);
}

static void replaces(void **state)
{
	struct block replaced;

	add(0x1000, 7, &replaced);
	assert_int_equal(add(0x1000, 8, &replaced), 0);
	assert_int_equal(replaced.address, 0x1000);
	assert_int_equal(replaced.size, 7);
	assert_int_equal(size_at(0x1000), 8);
	assert_int_equal(ledger.nr_live, 1);
}

/* More blocks than buckets have entries, which also takes the chains. */
static void replaces_among_many(void **state)
{
	struct block replaced;

	for (uint32_t place = 0; place < NR_PLACES; place++)
		add(address_of(place), 1, &replaced);
	for (uint32_t place = 0; place < NR_PLACES; place++) {
		add(address_of(place), 2, &replaced);
		assert_int_equal(replaced.address, address_of(place));
		assert_int_equal(replaced.size, 1);
	}
	for (uint32_t place = 0; place < NR_PLACES; place++) {
		assert_true(ledger_remove(&ledger, address_of(place), &replaced));
		assert_int_equal(replaced.size, 2);
	}
	assert_int_equal(ledger.nr_live, 0);
}

static void check_all(const uint64_t *sizes)
{
	uint64_t cursor = 0, seen = 0, live = 0;
	struct block block;

	for (uint32_t place = 0; place < NR_PLACES; place++) {
		assert_int_equal(size_at(address_of(place)), sizes[place]);
		live += sizes[place] != 0;
	}
	while (ledger_next(&ledger, &cursor, &block)) {
		assert_int_equal(block.size, size_at(block.address));
		seen++;
	}
	assert_int_equal(seen, live);
	assert_int_equal(ledger.nr_live, live);
}

static void step(uint64_t *sizes, uint64_t random)
{
	uint32_t place = (uint32_t)(random >> 8) % NR_PLACES;
	struct block block = { .address = 0 };

	if (random % 8 < 4) {
		assert_int_equal(ledger_remove(&ledger, address_of(place), &block),
				 sizes[place] != 0);
		assert_int_equal(block.size, sizes[place]);
		sizes[place] = 0;
	} else {
		uint64_t size = 1 + random % 1000;

		assert_int_equal(add(address_of(place), size, &block), 0);
		assert_int_equal(block.address ? block.size : 0, sizes[place]);
		sizes[place] = size;
	}
}

static void random_load(void **state)
{
	uint64_t *sizes = calloc(NR_PLACES, sizeof(*sizes)), random = 1;

	for (uint32_t i = 0; i < NR_STEPS; i++) {
		random = random * 6364136223846793005 + 1442695040888963407;
		step(sizes, hash_u64(random));
		if (i % (NR_STEPS / 8) == 0)
			check_all(sizes);
	}
	check_all(sizes);
	free(sizes);
}

/* Addresses whose hashes are alike end up in one bucket and its chain. */
static void one_bucket(void **state)
{
	struct block block;

	for (uint64_t i = 1; i <= 3000; i++)
		assert_int_equal(add(i << 46, i, &block), 0);
	for (uint64_t i = 1; i <= 3000; i++)
		assert_int_equal(size_at(i << 46), i);
	for (uint64_t i = 3000; i; i -= 3)
		assert_true(ledger_remove(&ledger, i << 46, &block));
	for (uint64_t i = 1; i <= 3000; i++)
		assert_int_equal(size_at(i << 46), i % 3 ? i : 0);
}

static void check_copies(const struct block *expected)
{
	struct block block;

	assert_true(ledger_find(&ledger, expected->address, &block));
	assert_int_equal(block.address, expected->address);
	assert_int_equal(block.size, expected->size);
	assert_int_equal(block.time_ns, expected->time_ns);
	assert_int_equal(block.site, expected->site);
}

/* The largest that an entry takes, and what only a chain can hold; each replaces the last. */
static void extremes(void **state)
{
	const uint64_t bits_48 = UINT64_MAX >> 16, bits_56 = UINT64_MAX >> 8;
	const struct block blocks[] = {
		{ bits_56, bits_48, bits_56, UINT32_MAX },
		{ bits_56, bits_48 + 1, 0, 0 },
		{ bits_56, 0, bits_56 + 1, 1 },
		{ bits_56, 0, 0, 0x8000ffff },
		{ UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT32_MAX },
		{ UINT64_MAX, 1, 2, 3 },
	};
	struct block old = { .address = 0 };

	for (size_t i = 0; i < sizeof(blocks) / sizeof(*blocks); i++) {
		assert_int_equal(ledger_add(&ledger, &blocks[i], &old), 0);
		assert_int_equal(old.address, i == 0 || i == 4 ? 0 : blocks[i].address);
		check_copies(&blocks[i]);
	}
	check_copies(&blocks[3]);
	assert_int_equal(ledger.nr_live, 2);
	assert_true(ledger_remove(&ledger, UINT64_MAX, &old));
	check_copies(&blocks[3]);
}

static void bytes_a_block(void **state)
{
	struct block block;

	assert_true(ledger_bytes(&ledger) <= 4096);
	for (uint64_t i = 1; i <= 1000000; i++) {
		add(i * 48, i, &block);
		if (i == 10)
			assert_true(ledger_bytes(&ledger) <= 2 * 4096);
		if (i >= 900000 && i % 1000 == 0)
			assert_true(ledger_bytes(&ledger) <= i * 48);
	}
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(empty), CASE(add_find_remove), CASE(replaces), CASE(replaces_among_many),
		CASE(random_load), CASE(one_bucket), CASE(extremes), CASE(bytes_a_block),
	};

	return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
