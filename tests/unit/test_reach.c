/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reachability: the nine cases of valgrind's manual, its heuristics, rings, trees and long lists,
 * and random graphs against another way to compute the same.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../tracer/scan/inside.h"
#include "../../tracer/scan/reach.h"

#define HEAP 0x7f1200000000ull
#define NR_WORDS 4096u
#define NR_BLOCKS 128u

/* One range of memory, which all blocks lie in; words of the root lie beside it. */
static uint64_t memory[NR_WORDS], root_words[16];
static struct scan_block items[NR_BLOCKS];
static struct space space;
static struct blocks blocks;
static struct reach reach;
static unsigned nr_items, used, nr_roots;

static int setup(void **state)
{
	const struct space_range range = { HEAP, HEAP + sizeof(memory), (void *)memory };

	memset(memory, 0, sizeof(memory));
	memset(items, 0, sizeof(items));
	nr_items = nr_roots = 0;
	used = 2;
	space_init(&space);
	return space_add(&space, &range);
}

static int teardown(void **state)
{
	space_deinit(&space);
	return 0;
}

/* The next block; its id. */
static unsigned make(unsigned nr_words)
{
	items[nr_items] = (struct scan_block){ .address = HEAP + used * 8, .size = nr_words * 8 };
	used += nr_words + 2;
	assert_true(used <= NR_WORDS && nr_items < NR_BLOCKS);
	return nr_items++;
}

static uint64_t *words_of(unsigned id)
{
	return &memory[(items[id].address - HEAP) / 8];
}

static void point(unsigned from, unsigned word, unsigned to, unsigned offset)
{
	words_of(from)[word] = items[to].address + offset;
}

static void root(unsigned to, unsigned offset)
{
	root_words[nr_roots++] = items[to].address + offset;
}

static void judge_from(const struct reach_root *roots, size_t nr)
{
	assert_int_equal(blocks_init(&blocks, items, nr_items), 0);
	reach = (struct reach){ .blocks = &blocks, .space = &space, .roots = roots, .nr_roots = nr,
				.heuristics = INSIDE_ALL };
	assert_int_equal(reach_run(&reach), 0);
	reach.roots = NULL;
	blocks_deinit(&blocks);
}

static void judge(void)
{
	const struct reach_root roots[] = { { .words = root_words, .nr_words = nr_roots } };

	judge_from(roots, 1);
}

static void check_kind(unsigned id, enum reach_kind kind)
{
	if (items[id].kind != kind)
		fail_msg("block %u is of kind %d, not %d", id, (int)items[id].kind, (int)kind);
}

/* The table of valgrind's manual, 4.2.9: root to A, A to B; -1: none, else the offset. */
static void test_nine_cases(void **state)
{
	static const struct {
		int to_a, to_b, a_to_b;
		enum reach_kind a, b;
	} cases[] = {
		{ -1, 0, -1, REACH_DEFINITE, REACH_REACHABLE },
		{ 0, -1, 0, REACH_REACHABLE, REACH_REACHABLE },
		{ -1, -1, -1, REACH_DEFINITE, REACH_DEFINITE },
		{ -1, -1, 0, REACH_DEFINITE, REACH_INDIRECT },
		{ -1, 16, -1, REACH_DEFINITE, REACH_POSSIBLE },
		{ 0, -1, 16, REACH_REACHABLE, REACH_POSSIBLE },
		{ 16, -1, 0, REACH_POSSIBLE, REACH_POSSIBLE },
		{ 16, -1, 16, REACH_POSSIBLE, REACH_POSSIBLE },
		{ -1, -1, 16, REACH_DEFINITE, REACH_INDIRECT },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		unsigned a, b;

		teardown(state);
		setup(state);
		a = make(4);
		b = make(4);
		if (cases[i].to_a >= 0)
			root(a, (unsigned)cases[i].to_a);
		if (cases[i].to_b >= 0)
			root(b, (unsigned)cases[i].to_b);
		if (cases[i].a_to_b >= 0)
			point(a, 1, b, (unsigned)cases[i].a_to_b);
		judge();
		check_kind(a, cases[i].a);
		check_kind(b, cases[i].b);
	}
}

/* As the loader's: then what the block leads to is reachable, too. */
static void test_roots_that_keep_by_insides(void **state)
{
	struct reach_root trusted = { .words = root_words, .keeps_by_insides = true };
	unsigned a = make(16), b = make(4), c = make(4);

	root(a, 64);
	point(a, 9, b, 0);
	point(b, 0, c, 8);
	trusted.nr_words = nr_roots;
	assert_int_equal(blocks_init(&blocks, items, nr_items), 0);
	reach = (struct reach){ .blocks = &blocks, .space = &space, .roots = &trusted,
				.nr_roots = 1 };
	assert_int_equal(reach_run(&reach), 0);
	blocks_deinit(&blocks);
	check_kind(a, REACH_REACHABLE);
	check_kind(b, REACH_REACHABLE);
	check_kind(c, REACH_POSSIBLE);
}

/* Whatever comes first, the better way to a block decides. */
static void test_a_start_outdoes_an_inside(void **state)
{
	unsigned a = make(4), b = make(4), c = make(4);

	root(c, 8 + 8);
	root(a, 0);
	point(a, 0, b, 0);
	point(b, 3, c, 0);
	judge();
	check_kind(a, REACH_REACHABLE);
	check_kind(b, REACH_REACHABLE);
	check_kind(c, REACH_REACHABLE);
}

static void test_rings(void **state)
{
	unsigned a = make(4), b = make(4), c = make(4), tail = make(4), own = make(4);

	point(a, 0, b, 0);
	point(b, 0, c, 0);
	point(c, 0, a, 0);
	point(b, 1, tail, 0);
	point(own, 2, own, 8);
	judge();
	check_kind(a, REACH_DEFINITE);
	check_kind(b, REACH_DEFINITE);
	check_kind(c, REACH_DEFINITE);
	check_kind(tail, REACH_INDIRECT);
	check_kind(own, REACH_DEFINITE);
	assert_int_equal(items[a].leader, items[b].leader);
	assert_int_equal(items[a].leader, items[c].leader);
	assert_int_equal(items[tail].leader, items[a].leader);
	assert_int_equal(items[own].leader, own);
}

/* A ring that another block leads to is not lost by itself. */
static void test_a_ring_that_is_held(void **state)
{
	unsigned a = make(4), b = make(4), holder = make(4);

	point(a, 0, b, 0);
	point(b, 0, a, 0);
	point(holder, 0, b, 0);
	judge();
	check_kind(a, REACH_INDIRECT);
	check_kind(b, REACH_INDIRECT);
	check_kind(holder, REACH_DEFINITE);
	assert_int_equal(items[a].leader, holder);
}

/* Two lead to it: the first has it, and it counts once. */
static void test_shared_by_two(void **state)
{
	unsigned a = make(2), b = make(2), shared = make(3), below = make(5);

	point(a, 1, shared, 0);
	point(b, 0, shared, 0);
	point(shared, 2, below, 0);
	judge();
	check_kind(shared, REACH_INDIRECT);
	check_kind(below, REACH_INDIRECT);
	assert_int_equal(items[shared].leader, a);
	assert_int_equal(items[below].leader, a);
	assert_int_equal(reach.totals[REACH_DEFINITE].blocks, 2);
	assert_int_equal(reach.totals[REACH_DEFINITE].bytes, 32);
	assert_int_equal(reach.totals[REACH_INDIRECT].blocks, 2);
	assert_int_equal(reach.totals[REACH_INDIRECT].bytes, 64);
}

static void test_keepers_are_nearest(void **state)
{
	unsigned far = make(4), middle = make(4), block = make(4);
	int64_t root_index;

	root(far, 0);
	root(middle, 0);
	point(far, 0, middle, 0);
	point(middle, 0, block, 0);
	point(far, 1, block, 0);
	judge();
	assert_int_equal(reach_keeper(&reach, block, &root_index), far);
	assert_int_equal(root_index, -1);
	assert_int_equal(reach_keeper(&reach, middle, &root_index), BLOCKS_NONE);
	assert_int_equal(root_index, 0);
}

/* What the data leads to on a long way is not kept by a stack that is nearer. */
static void test_data_keeps_before_stacks(void **state)
{
	unsigned far = make(4), middle = make(4), block = make(4), other = make(4);
	const uint64_t registers[] = { items[block].address, items[other].address };
	struct reach_root roots[] = {
		{ .words = root_words, .nr_words = 1, .lasts = true },
		{ .words = registers, .nr_words = 2 },
	};
	int64_t root_index;

	root(far, 0);
	point(far, 0, middle, 0);
	point(middle, 0, block, 0);
	judge_from(roots, 2);
	assert_int_equal(reach_keeper(&reach, block, &root_index), middle);
	assert_int_equal(reach_keeper(&reach, other, &root_index), BLOCKS_NONE);
	assert_int_equal(root_index, 1);
	check_kind(other, REACH_REACHABLE);
	roots[0].lasts = false;
	judge_from(roots, 2);
	assert_int_equal(reach_keeper(&reach, block, &root_index), BLOCKS_NONE);
	assert_int_equal(root_index, 1);
}

static void test_opaque_blocks_hold_nothing(void **state)
{
	unsigned cache = make(8), block = make(4);

	items[cache].opaque = 1;
	root(cache, 0);
	point(cache, 3, block, 0);
	judge();
	check_kind(cache, REACH_REACHABLE);
	check_kind(block, REACH_DEFINITE);
}

/* Each of them once as it is asked for, and once as glibc rounds it; then each with one thing wrong. */
static void test_heuristics(void **state)
{
	static uint64_t tables[16];
	const struct space_range constants = { HEAP + 0x10000000, HEAP + 0x10000000 + sizeof(tables),
					       (void *)tables };
	const taddr_t first = constants.start + 16, second = constants.start + 64 + 16;
	unsigned string, sized, array, none, derived, short_string, other_size, odd, alien;

	assert_int_equal(space_add(&space, &constants), 0);
	tables[1] = tables[9] = 0x1234;		/* type_info */
	tables[8] = (uint64_t)-24;		/* offset to top */
	for (unsigned usable = 0; usable < 2; usable++) {
		nr_items = nr_roots = 0;
		used = 2;
		string = make(6);
		words_of(string)[0] = 3;
		words_of(string)[1] = usable ? 48 - 25 - 7 : 48 - 25;
		root(string, 24);
		sized = make(5);
		words_of(sized)[0] = usable ? 32 - 7 : 32;
		root(sized, 8);
		array = make(7);
		words_of(array)[0] = 3;
		root(array, 8);
		none = make(usable ? 3 : 1);
		words_of(none)[0] = 0;
		root(none, 8);
		derived = make(6);
		words_of(derived)[0] = first;
		words_of(derived)[3] = second;
		root(derived, 24);
		short_string = make(6);
		words_of(short_string)[0] = 24;
		words_of(short_string)[1] = 23;
		root(short_string, 24);
		other_size = make(usable ? 9 : 5);
		words_of(other_size)[0] = usable ? 71 : 31;
		root(other_size, 8);
		odd = make(6);
		words_of(odd)[0] = first;
		words_of(odd)[2] = second;
		root(odd, 16);
		alien = make(6);
		words_of(alien)[0] = first;
		words_of(alien)[3] = first;
		root(alien, 24);
		for (unsigned id = 0; id < nr_items; id++)
			items[id].usable = usable;
		judge();
		for (unsigned id = 0; id < nr_items; id++)
			check_kind(id, id <= derived ? REACH_REACHABLE : REACH_POSSIBLE);
	}
}

static void test_heuristics_can_be_off(void **state)
{
	const struct reach_root roots[] = { { .words = root_words, .nr_words = 1 } };
	unsigned sized = make(5);

	words_of(sized)[0] = 32;
	root(sized, 8);
	assert_int_equal(blocks_init(&blocks, items, nr_items), 0);
	reach = (struct reach){ .blocks = &blocks, .space = &space, .roots = roots, .nr_roots = 1,
				.heuristics = INSIDE_STDSTRING };
	assert_int_equal(reach_run(&reach), 0);
	check_kind(sized, REACH_POSSIBLE);
	blocks_deinit(&blocks);
}

/* Pages that nobody has touched are in no range; what lies on both sides is looked at. */
static void test_gaps(void **state)
{
	static uint64_t before[512], after[512];
	const struct space_range ranges[] = {
		{ HEAP + 0x100000, HEAP + 0x101000, (void *)before },
		{ HEAP + 0x200000, HEAP + 0x201000, (void *)after },
	};
	unsigned a = make(4), b = make(4), large = nr_items++;

	items[large] = (struct scan_block){ .address = HEAP + 0x100010, .size = 0x100800 };
	before[2] = items[a].address;
	after[255] = items[b].address;
	after[257] = items[b].address;
	assert_int_equal(space_add(&space, &ranges[0]), 0);
	assert_int_equal(space_add(&space, &ranges[1]), 0);
	judge();
	check_kind(large, REACH_DEFINITE);
	check_kind(a, REACH_INDIRECT);
	check_kind(b, REACH_INDIRECT);
	root(large, 0);
	judge();
	check_kind(large, REACH_REACHABLE);
	check_kind(a, REACH_REACHABLE);
	check_kind(b, REACH_REACHABLE);
}

/* What the passes say, by the closure of all ways: for graphs that are small. */
static bool leads[NR_BLOCKS][NR_BLOCKS];

static void close_ways(void)
{
	for (unsigned k = 0; k < nr_items; k++)
		for (unsigned i = 0; i < nr_items; i++)
			for (unsigned j = 0; leads[i][k] && j < nr_items; j++)
				leads[i][j] |= leads[k][j];
}

static enum reach_kind lost_kind(unsigned id)
{
	for (unsigned other = 0; other < nr_items; other++)
		if (items[other].kind < REACH_POSSIBLE && leads[other][id] && !leads[id][other])
			return REACH_INDIRECT;
	return REACH_DEFINITE;
}

static void test_random_graphs(void **state)
{
	srand(7);
	for (unsigned round = 0; round < 2000; round++) {
		unsigned nr = 2 + (unsigned)rand() % 40, nr_pointers = (unsigned)rand() % (2 * nr);

		teardown(state);
		setup(state);
		memset(leads, 0, sizeof(leads));
		for (unsigned i = 0; i < nr; i++)
			make(8);
		for (unsigned i = 0; i < nr_pointers; i++) {
			unsigned from = (unsigned)rand() % nr, to = (unsigned)rand() % nr;

			point(from, i % 8, to, rand() % 4 ? 0 : 40);
		}
		for (unsigned i = 0; i < nr; i++)
			for (unsigned w = 0; w < 8; w++)
				for (unsigned j = 0; j < nr; j++)
					leads[i][j] |= words_of(i)[w] - items[j].address < 64;
		close_ways();
		judge();
		for (unsigned i = 0; i < nr; i++) {
			check_kind(i, lost_kind(i));
			assert_true(items[i].leader < nr);
			check_kind(items[i].leader, REACH_DEFINITE);
			assert_true(items[i].leader == i || leads[items[i].leader][i]);
		}
	}
}

/* A list of so many nodes, of four words each: reachable, and lost. */
#define LONG 1000000u

static void test_long_lists(void **state)
{
	uint64_t *words = calloc(LONG, 32), first = HEAP + 0x100000000;
	struct scan_block *many = calloc(LONG, sizeof(*many));
	const struct space_range range = { first, first + LONG * 32ull, (void *)words };
	const struct reach_root roots[] = { { .words = &first, .nr_words = 1 } };

	assert_true(words && many);
	for (unsigned i = 0; i < LONG; i++) {
		many[i] = (struct scan_block){ .address = first + i * 32ull, .size = 24 };
		words[i * 4] = i + 1 < LONG ? first + (i + 1) * 32ull : 0;
	}
	assert_int_equal(space_add(&space, &range), 0);
	assert_int_equal(blocks_init(&blocks, many, LONG), 0);
	assert_true(blocks_bytes(&blocks) < LONG * 4);
	for (unsigned lost = 0; lost < 2; lost++) {
		reach = (struct reach){ .blocks = &blocks, .space = &space, .roots = roots,
					.nr_roots = !lost, .heuristics = INSIDE_ALL };
		assert_int_equal(reach_run(&reach), 0);
		assert_int_equal(reach.totals[REACH_REACHABLE].blocks, lost ? 0 : LONG);
		assert_int_equal(reach.totals[REACH_INDIRECT].blocks, lost ? LONG - 1 : 0);
	}
	words[(LONG - 1) * 4] = first;
	reach = (struct reach){ .blocks = &blocks, .space = &space };
	assert_int_equal(reach_run(&reach), 0);
	assert_int_equal(reach.totals[REACH_DEFINITE].blocks, LONG);
	blocks_deinit(&blocks);
	free(many);
	free(words);
}

/* Blocks of any size at any place, found as by looking at each. */
static void check_places(unsigned alignment)
{
	struct scan_block many[400];
	taddr_t address = HEAP + 3 * alignment;

	memset(many, 0, sizeof(many));
	for (unsigned i = 0; i < 400; i++) {
		many[i].address = address;
		many[i].size = rand() % 10 ? (unsigned)rand() % 64 : (unsigned)rand() % 40000;
		address += (many[i].size / alignment + 1 + (unsigned)rand() % 3) * alignment;
	}
	assert_int_equal(blocks_init(&blocks, many, 400), 0);
	for (taddr_t at = HEAP; at < address + 8192; at++) {
		uint32_t wanted = BLOCKS_NONE;

		for (uint32_t i = 0; i < 400; i++)
			if (at == many[i].address || at - many[i].address < many[i].size ||
			    (many[i].size == 8 && at == many[i].address + 8 && wanted != i))
				wanted = i;
		if (blocks_find(&blocks, at) != wanted)
			fail_msg("%#llx: %u, not %u", (unsigned long long)at,
				 blocks_find(&blocks, at), wanted);
	}
	blocks_deinit(&blocks);
}

static void test_places(void **state)
{
	srand(11);
	check_places(16);
	check_places(8);
	check_places(1);
}

/* Larger than all memory: no index of its pages. */
static void test_blocks_of_terabytes(void **state)
{
	const taddr_t start = (5ull << 30) + 0x2010, bytes = (1ull << 45) + 0x5000;
	struct scan_block many[3] = {
		{ .address = start - 64, .size = 16 },
		{ .address = start, .size = bytes },
		{ .address = start + bytes + 16, .size = 32 },
	};

	assert_int_equal(blocks_init(&blocks, many, 3), 0);
	assert_true(blocks_bytes(&blocks) < 16 << 20);
	assert_int_equal(blocks_find(&blocks, start - 60), 0);
	assert_int_equal(blocks_find(&blocks, start - 1), BLOCKS_NONE);
	for (taddr_t at = start; at < start + bytes; at += (1ull << 29) + 0xff8)
		assert_int_equal(blocks_find(&blocks, at), 1);
	for (unsigned i = 1; i < 3 * 4096; i += 7)
		assert_int_equal(blocks_find(&blocks, start + bytes - i), 1);
	assert_int_equal(blocks_find(&blocks, start + bytes), BLOCKS_NONE);
	assert_int_equal(blocks_find(&blocks, start + bytes + 20), 2);
	blocks_deinit(&blocks);
}

static void test_blocks_that_cannot_be(void **state)
{
	struct scan_block many[2] = { { .address = HEAP, .size = 16 }, { .address = HEAP + 8 } };

	assert_int_equal(blocks_init(&blocks, many, 2), -EINVAL);
	many[1].address = HEAP - 8;
	assert_int_equal(blocks_init(&blocks, many, 2), -EINVAL);
	many[0].address = 1ull << 50;
	assert_int_equal(blocks_init(&blocks, many, 1), -EINVAL);
	assert_int_equal(blocks_init(&blocks, many, 0), 0);
	assert_int_equal(blocks_find(&blocks, HEAP), BLOCKS_NONE);
	reach = (struct reach){ .blocks = &blocks, .space = &space };
	assert_int_equal(reach_run(&reach), 0);
	blocks_deinit(&blocks);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nine_cases),
		TEST(roots_that_keep_by_insides),
		TEST(a_start_outdoes_an_inside),
		TEST(rings),
		TEST(a_ring_that_is_held),
		TEST(shared_by_two),
		TEST(keepers_are_nearest), TEST(data_keeps_before_stacks),
		TEST(opaque_blocks_hold_nothing),
		TEST(heuristics),
		TEST(heuristics_can_be_off),
		TEST(gaps),
		TEST(random_graphs),
		TEST(long_lists),
		TEST(places),
		TEST(blocks_of_terabytes),
		TEST(blocks_that_cannot_be),
	};

	return cmocka_run_group_tests_name("reach", tests, NULL, NULL);
}
