/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who keeps the blocks of a site: from the graph of some blocks, and of a long list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../tracer/scan/inside.h"
#include "../../tracer/scan/keepers.h"

#define HEAP 0x7f1200000000ull
#define DATA 0x550000001000ull
#define NR_WORDS 65536u
#define NR_BLOCKS 16384u
#define NO_SITE UINT32_MAX

static uint64_t heap[NR_WORDS], data[64], registers[2];
static struct scan_block items[NR_BLOCKS];
static uint32_t sites[NR_BLOCKS], nr_items, used;
static struct space space;
static struct blocks blocks;
static struct root_owner owners[] = { { ROOT_MODULE, 0, 3 }, { ROOT_REGISTERS, 77, 0 } };
static struct reach_root root_items[] = {
	{ .start = DATA, .end = DATA + sizeof(data), .owner = 0 },
	{ .words = registers, .nr_words = 2, .owner = 1 },
};
static const struct roots roots = {
	.items = root_items, .nr = 2, .owners = { .items = owners, .nr = 2 },
};
static struct reach reach;
static struct keepers keepers;

static int setup(void **state)
{
	const struct space_range ranges[] = {
		{ DATA, DATA + sizeof(data), (void *)data },
		{ HEAP, HEAP + sizeof(heap), (void *)heap },
	};

	memset(heap, 0, sizeof(heap));
	memset(data, 0, sizeof(data));
	memset(registers, 0, sizeof(registers));
	nr_items = 0;
	used = 2;
	space_init(&space);
	return space_add(&space, &ranges[0]) || space_add(&space, &ranges[1]);
}

static int teardown(void **state)
{
	keepers_release(&keepers);
	blocks_deinit(&blocks);
	space_deinit(&space);
	return 0;
}

static uint32_t make(uint32_t nr_words, uint32_t site)
{
	items[nr_items] = (struct scan_block){ .address = HEAP + used * 8, .size = nr_words * 8 };
	sites[nr_items] = site;
	used += nr_words + 2;
	assert_true(used <= NR_WORDS && nr_items < NR_BLOCKS);
	return nr_items++;
}

static void point(uint32_t from, uint32_t word, uint32_t to, uint32_t offset)
{
	heap[(items[from].address - HEAP) / 8 + word] = items[to].address + offset;
}

static void find(void)
{
	assert_int_equal(blocks_init(&blocks, items, nr_items), 0);
	assert_int_equal(keepers_init(&keepers, &blocks, sites, NO_SITE), 0);
	reach = (struct reach){
		.blocks = &blocks, .space = &space, .roots = root_items, .nr_roots = 2,
		.heuristics = INSIDE_ALL, .on_reached = keepers_note, .owner = &keepers,
	};
	assert_int_equal(reach_run(&reach), 0);
	assert_int_equal(keepers_find(&keepers, &reach, &roots), 0);
}

static const struct keeper_step *steps_of(uint32_t site, bool possible, uint32_t nr_blocks)
{
	const struct keeper *keeper = keepers_of(&keepers, site, possible);

	assert_non_null(keeper);
	assert_int_equal(keeper->nr_blocks, nr_blocks);
	return keepers_steps(&keepers, keeper);
}

/* data[5] -> a[1] -> b of site 4; another of that site is farther away. */
static void test_a_way(void **state)
{
	uint32_t a = make(4, NO_SITE), b = make(6, 4), c = make(8, 4);
	const struct keeper_step *steps;

	point(a, 1, b, 0);
	point(b, 2, c, 0);
	data[3] = items[a].address + 8;		/* to its inside */
	data[5] = data[6] = items[a].address;
	find();
	steps = steps_of(4, false, 2);
	assert_int_equal(keepers_of(&keepers, 4, false)->root.kind, ROOT_MODULE);
	assert_int_equal(keepers_of(&keepers, 4, false)->root.mapping, 3);
	assert_int_equal(steps[0].address, items[a].address);
	assert_int_equal(steps[0].size, 32);
	assert_int_equal(steps[0].site, NO_SITE);
	assert_int_equal(steps[0].slot, DATA + 40);
	assert_int_equal(steps[1].address, items[b].address);
	assert_int_equal(steps[1].site, 4);
	assert_int_equal(steps[1].slot, items[a].address + 8);
	assert_null(keepers_of(&keepers, 4, true));
	assert_null(keepers_of(&keepers, 3, false));
	assert_null(keepers_of(&keepers, 5, false));
	assert_null(keepers_of(&keepers, NO_SITE, false));
}

/* Lost ones have none; and those that only pointers to their inside lead to are apart. */
static void test_kinds(void **state)
{
	uint32_t reachable = make(4, 0), possible = make(6, 0), behind = make(6, 1);

	make(4, 2);
	registers[1] = items[reachable].address;
	data[1] = items[possible].address + 16;
	point(possible, 3, behind, 0);
	find();
	assert_int_equal(steps_of(0, false, 1)->slot, 0);
	assert_int_equal(keepers_of(&keepers, 0, false)->root.tid, 77);
	assert_int_equal(steps_of(0, true, 1)->slot, DATA + 8);
	assert_int_equal(steps_of(1, true, 2)[1].slot, items[possible].address + 24);
	assert_null(keepers_of(&keepers, 1, false));
	assert_null(keepers_of(&keepers, 2, false));
	assert_null(keepers_of(&keepers, 2, true));
}

/* Of the way the first seven and the last are kept; the list's own place is at its head. */
static void test_long_list(void **state)
{
	uint32_t nr = 10000, last;
	const struct keeper_step *steps;

	for (uint32_t i = 0; i < nr; i++)
		make(4, 0);
	for (uint32_t i = 0; i + 1 < nr; i++)
		point(i, i % 4, i + 1, 0);
	last = make(2, 1);
	point(nr - 1, 0, last, 0);
	data[0] = items[0].address;
	find();
	assert_int_equal(steps_of(0, false, 1)->address, items[0].address);
	steps = steps_of(1, false, nr + 1);
	for (uint32_t i = 0; i + 1 < KEEPER_STEPS; i++) {
		assert_int_equal(steps[i].address, items[i].address);
		if (i)
			assert_int_equal(steps[i].slot, items[i - 1].address + (i - 1) % 4 * 8);
	}
	assert_int_equal(steps[KEEPER_STEPS - 1].address, items[last].address);
	assert_int_equal(steps[KEEPER_STEPS - 1].slot, items[nr - 1].address);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_way),
		TEST(kinds),
		TEST(long_list),
	};

	return cmocka_run_group_tests_name("keepers", tests, NULL, NULL);
}
