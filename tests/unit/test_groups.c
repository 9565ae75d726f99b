/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Blocks without a site: what they look like, and how they are grouped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../tracer/scan/groups.h"

#define HEAP 0x7f1200000000ull
#define NR_WORDS 8192u
#define NR_BLOCKS 512u
#define NO_SITE UINT32_MAX
#define CODE 0x550000000000ull
#define CONSTANTS 0x550000001000ull
#define DATA 0x550000002000ull
#define BSS 0x550000003000ull
#define ANONYMOUS 0x560000000000ull

static struct mapping mappings[] = {
	{ .start = CODE, .end = CONSTANTS, .readable = true, .executable = true, .inode = 1, .path = "x" },
	{ .start = CONSTANTS, .end = DATA, .readable = true, .inode = 1, .path = "x" },
	{ .start = DATA, .end = BSS, .readable = true, .writable = true, .inode = 1, .path = "x" },
	{ .start = BSS, .end = BSS + 4096, .readable = true, .writable = true, .path = "" },
	{ .start = ANONYMOUS, .end = ANONYMOUS + 4096, .readable = true, .writable = true, .path = "" },
};
static const struct maps maps = { .items = mappings, .nr = 5 };
static uint64_t heap[NR_WORDS];
static struct scan_block items[NR_BLOCKS];
static uint32_t sites[NR_BLOCKS], nr_items, used;
static struct space space;
static struct blocks blocks;
static struct groups groups;

static int setup(void **state)
{
	const struct space_range range = { HEAP, HEAP + sizeof(heap), (void *)heap };

	memset(heap, 0, sizeof(heap));
	memset(items, 0, sizeof(items));
	nr_items = 0;
	used = 2;
	space_init(&space);
	return space_add(&space, &range);
}

static int teardown(void **state)
{
	groups_release(&groups);
	blocks_deinit(&blocks);
	space_deinit(&space);
	return 0;
}

static uint32_t make(unsigned nr_words, uint32_t site)
{
	assert_true(nr_items < NR_BLOCKS && used + nr_words + 2 <= NR_WORDS);
	items[nr_items] = (struct scan_block){
		.address = HEAP + used * 8, .size = nr_words * 8, .kind = REACH_REACHABLE,
	};
	sites[nr_items] = site;
	used += nr_words + 2;
	return nr_items++;
}

static uint64_t *words_of(uint32_t id)
{
	return &heap[(items[id].address - HEAP) / 8];
}

static void group_all(void)
{
	assert_int_equal(blocks_init(&blocks, items, nr_items), 0);
	assert_int_equal(groups_init(&groups, &space, &maps, &blocks, sites, NO_SITE), 0);
}

static const struct group *group_of(uint32_t id)
{
	assert_in_range(sites[id], groups.first_site, groups.first_site + groups.nr - 1);
	return &groups.items[sites[id] - groups.first_site];
}

static void check(uint32_t id, enum content_kind kind)
{
	if (group_of(id)->content.kind != kind)
		fail_msg("block %u is of content %d", id, (int)group_of(id)->content.kind);
}

static void test_objects(void **state)
{
	static const struct {
		unsigned at;
		uint64_t word;
		bool is_object;
	} cases[] = {
		{ 0, CONSTANTS + 16, true }, { 0, DATA + 8, true }, { 0, BSS, true },
		{ 0, CONSTANTS + 4, false }, { 0, CODE, false }, { 0, ANONYMOUS, false },
		{ 0, 8, false }, { 1, DATA, true }, { 1, CONSTANTS, false }, { 3, BSS, true },
		{ 2, DATA, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		words_of(make(4, NO_SITE))[cases[i].at] = cases[i].word;
	group_all();
	for (uint32_t i = 0; i < nr_items; i++) {
		check(i, cases[i].is_object ? CONTENT_OBJECT : CONTENT_OTHER);
		if (!cases[i].is_object)
			continue;
		assert_int_equal(group_of(i)->content.table, cases[i].word);
		assert_int_equal(group_of(i)->content.at, cases[i].at * 8);
	}
}

static void put_text(uint32_t id, const char *text)
{
	memcpy(words_of(id), text, strlen(text));
}

static void test_texts(void **state)
{
	static const char *const texts[] = {
		"four", "a longer text that fills", "\t2\n4", "gr\xc3\xbc\xc3\x9f", "a text and\0more",
	};
	static const char *const others[] = {
		"3\0\0", "abc", "a \033[2J", "\xff\xfe\xfd\xfc", "text \x7f",
	};
	uint32_t cut = make(64, NO_SITE);

	for (unsigned i = 0; i < 5; i++) {
		put_text(make(3, NO_SITE), texts[i]);
		put_text(make(3, NO_SITE), others[i]);
	}
	memset(words_of(cut), 'x', 511);
	memcpy((char *)words_of(cut) + 511, "\xc3", 1);
	group_all();
	check(cut, CONTENT_TEXT);
	for (uint32_t i = 1; i < nr_items; i++)
		check(i, i % 2 ? CONTENT_TEXT : CONTENT_OTHER);
}

static void test_pointers_and_zeros(void **state)
{
	uint32_t zeros = make(100, NO_SITE), pointers = make(16, NO_SITE), some = make(16, NO_SITE);
	uint32_t inside = make(2, NO_SITE), tiny = make(0, NO_SITE);

	words_of(zeros)[90] = 7;	/* beyond what is looked at */
	for (unsigned i = 0; i < 10; i++)
		words_of(pointers)[i + 2] = items[zeros].address;
	words_of(pointers)[1] = 0x1234567;
	words_of(some)[0] = items[zeros].address;
	words_of(some)[1] = 1;
	words_of(inside)[0] = items[zeros].address + 8;
	group_all();
	check(zeros, CONTENT_ZEROS);
	check(pointers, CONTENT_POINTERS);
	check(some, CONTENT_OTHER);
	check(inside, CONTENT_OTHER);
	check(tiny, CONTENT_OTHER);
}

/* By size and content; those that were seen and the allocator's own are in none. */
static void test_groups(void **state)
{
	uint32_t seen = make(4, 6), own = make(4, NO_SITE), first = make(4, NO_SITE);
	uint32_t second = make(4, NO_SITE), larger = make(6, NO_SITE), object = make(4, NO_SITE);

	items[own].opaque = 1;
	words_of(object)[0] = CONSTANTS;
	words_of(first)[0] = words_of(second)[0] = 0x11;
	words_of(second)[1] = 0x22;
	words_of(larger)[0] = 0x11;
	group_all();
	assert_int_equal(groups.first_site, 7);
	assert_int_equal(groups.nr, 3);
	assert_int_equal(sites[seen], 6);
	assert_int_equal(sites[own], NO_SITE);
	assert_int_equal(sites[first], sites[second]);
	assert_int_not_equal(sites[first], sites[larger]);
	assert_int_not_equal(sites[first], sites[object]);
	assert_int_equal(group_of(larger)->size, 48);
}

static void test_sums(void **state)
{
	uint32_t lost = make(4, NO_SITE), kept = make(4, NO_SITE), below = make(8, NO_SITE);
	uint32_t below_seen = make(8, 0), lost_seen = make(8, 1), below_lost_seen = make(8, NO_SITE);
	const struct group_part *parts;

	words_of(lost)[0] = words_of(kept)[0] = 0x77;
	words_of(kept)[3] = 0x88;
	group_all();
	items[lost].kind = items[lost_seen].kind = REACH_DEFINITE;
	items[below].kind = items[below_seen].kind = items[below_lost_seen].kind = REACH_INDIRECT;
	items[below].leader = items[below_seen].leader = lost;
	items[below_lost_seen].leader = lost_seen;
	groups_add_up(&groups, &space, &blocks, sites);
	parts = group_of(lost)->parts;
	assert_int_equal(parts[REACH_DEFINITE].blocks, 1);
	assert_int_equal(parts[REACH_DEFINITE].bytes, 32);
	assert_int_equal(parts[REACH_DEFINITE].indirect_blocks, 2);
	assert_int_equal(parts[REACH_DEFINITE].indirect_bytes, 128);
	assert_int_equal(parts[REACH_DEFINITE].example, items[lost].address);
	assert_int_equal(parts[REACH_REACHABLE].example, items[kept].address);
	assert_int_equal(parts[REACH_REACHABLE].preview_bytes, 32);
	assert_int_equal(parts[REACH_REACHABLE].preview[24], 0x88);
	assert_int_equal(group_of(below)->parts[REACH_INDIRECT].blocks, 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(objects), TEST(texts), TEST(pointers_and_zeros), TEST(groups), TEST(sums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
