/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See blocks.h. */
#include "blocks.h"

#include <errno.h>
#include <stdlib.h>

#include "../heap/pages.h"

#define ADDRESS_BITS 47
#define GIANT_BITS 30
#define PAGE_BITS 12
#define PLACE_BITS 3
#define NR_WORDS ((1u << (PAGE_BITS - PLACE_BITS)) / 64)
#define NR_TABLES (1ul << (ADDRESS_BITS - GIANT_BITS))
#define NR_ENTRIES (1ul << (GIANT_BITS - PAGE_BITS))

struct blocks_entry {
	uint32_t page;		/* 0: none, so the page has no block; */
#define COVERED UINT32_MAX	/* ... one, which covers it; else the index of a: */
	uint32_t before;	/* blocks that start before the page; that one's id */
};

struct blocks_page {
	uint64_t starts[NR_WORDS];
};

static unsigned place_of(taddr_t address)
{
	return address >> PLACE_BITS & (NR_WORDS * 64 - 1);
}

static taddr_t last_address(const struct scan_block *block)
{
	if (block->size == 8)
		return block->address + 8;
	return block->address + (block->size ? block->size - 1 : 0);
}

static struct blocks_entry *entry_of(const struct blocks *blocks, taddr_t address)
{
	struct blocks_entry *table = blocks->tables[address >> GIANT_BITS];

	return table ? &table[address >> PAGE_BITS & (NR_ENTRIES - 1)] : NULL;
}

static struct blocks_entry *make_entry(struct blocks *blocks, taddr_t address)
{
	struct blocks_entry **table = &blocks->tables[address >> GIANT_BITS];

	if (!*table)
		*table = calloc(NR_ENTRIES, sizeof(**table));
	return *table ? entry_of(blocks, address) : NULL;
}

static struct blocks_page *make_page(struct blocks *blocks, taddr_t address, uint32_t before)
{
	struct blocks_entry *entry = make_entry(blocks, address);

	if (!entry)
		return NULL;
	if (!entry->page) {
		if (pages_grow((void **)&blocks->pages, &blocks->pages_room, blocks->nr_pages,
			       sizeof(*blocks->pages)))
			return NULL;
		*entry = (struct blocks_entry){ (uint32_t)blocks->nr_pages++, before };
	}
	return &blocks->pages[entry->page];
}

static int add_start(struct blocks *blocks, uint32_t id)
{
	taddr_t address = blocks->items[id].address;
	struct blocks_page *page = make_page(blocks, address, id);
	unsigned place = place_of(address);

	if (!page)
		return -ENOMEM;
	page->starts[place / 64] |= 1ull << place % 64;
	blocks->by_halves |= address & ((1u << PLACE_BITS) - 1);
	return 0;
}

/* Giants that it covers share a table: a block may well be larger than all memory. */
static int cover_giants(struct blocks *blocks, uint32_t id, taddr_t giant, taddr_t end)
{
	struct blocks_entry *table = calloc(NR_ENTRIES, sizeof(*table));

	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < NR_ENTRIES; i++)
		table[i] = (struct blocks_entry){ COVERED, id };
	for (; giant < end; giant++)
		blocks->tables[giant] = table;
	return 0;
}

static int cover_pages(struct blocks *blocks, uint32_t id, taddr_t page, taddr_t end)
{
	struct blocks_entry *entry;

	for (; page < end; page++) {
		entry = make_entry(blocks, page << PAGE_BITS);
		if (!entry)
			return -ENOMEM;
		*entry = (struct blocks_entry){ COVERED, id };
	}
	return 0;
}

static int cover(struct blocks *blocks, uint32_t id, taddr_t page, taddr_t end)
{
	taddr_t giant = (page + NR_ENTRIES - 1) / NR_ENTRIES, giants_end = end / NR_ENTRIES;
	int error;

	if (giant >= giants_end)
		return cover_pages(blocks, id, page, end);
	error = cover_pages(blocks, id, page, giant * NR_ENTRIES);
	if (!error)
		error = cover_giants(blocks, id, giant, giants_end);
	return error ? error : cover_pages(blocks, id, giants_end * NR_ENTRIES, end);
}

/* The pages behind the one that it starts in. */
static int add_rest(struct blocks *blocks, uint32_t id)
{
	const struct scan_block *block = &blocks->items[id];
	taddr_t page = (block->address >> PAGE_BITS) + 1, last = last_address(block) >> PAGE_BITS;
	int error = page < last ? cover(blocks, id, page, last) : 0;

	if (error || page > last)
		return error;
	return make_page(blocks, last << PAGE_BITS, id + 1) ? 0 : -ENOMEM;
}

static bool in_order(const struct scan_block *items, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		if ((items[i].address + items[i].size) >> ADDRESS_BITS)
			return false;
		if (i && items[i].address < items[i - 1].address + (items[i - 1].size ?: 1))
			return false;
	}
	return true;
}

static int fill(struct blocks *blocks)
{
	int error = 0;

	for (uint32_t id = 0; id < blocks->nr && !error; id++) {
		error = add_start(blocks, id);
		if (!error)
			error = add_rest(blocks, id);
	}
	return error;
}

int blocks_init(struct blocks *blocks, struct scan_block *items, size_t nr)
{
	int error;

	if (nr > BLOCKS_MOST)
		return -E2BIG;
	if (!in_order(items, nr))
		return -EINVAL;
	*blocks = (struct blocks){ .items = items, .nr = (uint32_t)nr, .nr_pages = 1 };
	if (nr) {
		blocks->lowest = items[0].address;
		blocks->highest = last_address(&items[nr - 1]);
	}
	blocks->tables = calloc(NR_TABLES, sizeof(*blocks->tables));
	error = blocks->tables ? fill(blocks) : -ENOMEM;
	if (error)
		blocks_deinit(blocks);
	return error;
}

void blocks_deinit(struct blocks *blocks)
{
	for (size_t i = 0; blocks->tables && i < NR_TABLES; i++)
		if (!i || blocks->tables[i] != blocks->tables[i - 1])
			free(blocks->tables[i]);
	free(blocks->tables);
	pages_free(blocks->pages, blocks->pages_room, sizeof(*blocks->pages));
}

/* How many blocks start at an address or before it. */
static uint32_t count_until(const struct blocks *blocks, taddr_t address)
{
	uint32_t low = 0, high = blocks->nr;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (blocks->items[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Without branches: the place is chance. */
static inline uint32_t count_in_page(const struct blocks_page *page, taddr_t address)
{
	unsigned place = place_of(address), word = place / 64, nr = 0;

#pragma GCC unroll 8
	for (unsigned i = 0; i < NR_WORDS - 1; i++)
		nr += (unsigned)__builtin_popcountll(page->starts[i]) & -(unsigned)(i < word);
	return nr + (unsigned)__builtin_popcountll(page->starts[word] << (63 - place % 64));
}

/* By an entry that has a page; BLOCKS_NONE: its first block starts behind the address. */
static inline uint32_t last_before(const struct blocks *blocks, struct blocks_entry entry,
				   taddr_t address)
{
	if (entry.page == COVERED)
		return entry.before;
	if (blocks->by_halves)
		return count_until(blocks, address) - 1;
	return entry.before + count_in_page(&blocks->pages[entry.page], address) - 1;
}

bool blocks_holds(const struct blocks *blocks, uint32_t id, taddr_t address)
{
	const struct scan_block *block = &blocks->items[id];

	return address >= block->address && address <= last_address(block);
}

uint32_t blocks_find(const struct blocks *blocks, taddr_t address)
{
	uint32_t id;

	if (!blocks->nr || address < blocks->lowest || address > blocks->highest)
		return BLOCKS_NONE;
	blocks_guess(blocks, &address, 1, &id);
	return id != BLOCKS_NONE && blocks_holds(blocks, id, address) ? id : BLOCKS_NONE;
}

/* Nearly every processor counts bits by an instruction, which x86-64 as such does not have. */
__attribute__((target_clones("default", "popcnt")))
void blocks_guess(const struct blocks *blocks, const taddr_t *addresses, size_t nr, uint32_t *ids)
{
	const struct blocks_entry *places[BLOCKS_BATCH];
	struct blocks_entry entries[BLOCKS_BATCH];

	for (size_t i = 0; i < nr; i++) {
		places[i] = entry_of(blocks, addresses[i]);
		__builtin_prefetch(places[i]);
	}
	for (size_t i = 0; i < nr; i++) {
		entries[i] = places[i] ? *places[i] : (struct blocks_entry){ 0 };
		if (entries[i].page != COVERED)
			__builtin_prefetch(&blocks->pages[entries[i].page]);
	}
	for (size_t i = 0; i < nr; i++)
		ids[i] = entries[i].page ? last_before(blocks, entries[i], addresses[i])
					 : BLOCKS_NONE;
}

size_t blocks_bytes(const struct blocks *blocks)
{
	size_t bytes = NR_TABLES * sizeof(*blocks->tables) +
		       pages_bytes(blocks->pages_room, sizeof(*blocks->pages));

	for (size_t i = 0; i < NR_TABLES; i++)
		if (blocks->tables[i] && (!i || blocks->tables[i] != blocks->tables[i - 1]))
			bytes += NR_ENTRIES * sizeof(**blocks->tables);
	return bytes;
}
