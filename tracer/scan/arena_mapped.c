/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Large blocks are mappings of their own, but the kernel joins neighbours to one: each page of all
 * anonymous memory may be where one starts. Where memalign has moved a block to a boundary, the
 * header that was there first is still to be seen:
 *
 *     | 0 | all, mapped | ...  | distance | rest, mapped | user memory ...
 *     ^ page                   ^ the chunk               ^ aligned
 */
#include <errno.h>
#include <string.h>

#include "../base/array.h"
#include "arena_parts.h"

#define PAGE_BYTES 4096

static bool is_mapped_header(struct walk *walk, taddr_t at, uint64_t before, uint64_t bytes)
{
	return walk_word(walk, at) == before && walk_word(walk, at + 8) == (bytes | GLIBC_MMAPPED);
}

/* The boundary that it was moved to: any power of two. */
static taddr_t moved_to(struct walk *walk, taddr_t start, uint64_t bytes)
{
	for (uint64_t boundary = 2 * GLIBC_ALIGNMENT; boundary < bytes; boundary *= 2) {
		taddr_t at = ((start + GLIBC_HEADER + boundary - 1) & -boundary) - GLIBC_HEADER;

		if (at - start && at - start < GLIBC_LEAST)
			at += boundary;
		if (at > start && at - start + GLIBC_LEAST < bytes &&
		    is_mapped_header(walk, at, at - start, bytes - (at - start)))
			return at;
	}
	return start;
}

static int add_block(struct walk *walk, taddr_t start, uint64_t bytes)
{
	struct arena_chunks *chunks = &walk->out->chunks;
	taddr_t chunk = moved_to(walk, start, bytes);
	uint64_t size = start + bytes - chunk - GLIBC_HEADER;

	if (ARRAY_GROW(chunks))
		return -ENOMEM;
	chunks->items[chunks->nr++] = (struct arena_chunk){
		.address = chunk + GLIBC_HEADER, .size = size, .arena = ARENAS_MAPPED,
	};
	walk->out->mapped_blocks++;
	walk->out->mapped_bytes += bytes;
	return walk_add_span(walk, start, start + bytes);
}

/* The end of the heap's memory that an address lies in, else the address. */
static taddr_t end_of_heap_at(const struct walk *walk, size_t nr_spans, taddr_t address)
{
	for (size_t i = 0; i < nr_spans; i++) {
		const struct span *span = &walk->out->spans.items[i];

		if (address >= span->start && address < span->end)
			return (span->end + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1ul);
	}
	return address;
}

static int search_mapping(struct walk *walk, const struct mapping *mapping, size_t nr_spans)
{
	taddr_t at = mapping->start, end;
	uint64_t head;
	int error = 0;

	while (at < mapping->end && !error) {
		end = end_of_heap_at(walk, nr_spans, at);
		if (end > at) {
			at = end;
			continue;
		}
		head = walk_word(walk, at + 8);
		if ((head & (PAGE_BYTES - 1)) != GLIBC_MMAPPED || walk_word(walk, at) ||
		    (head & ~(uint64_t)GLIBC_MMAPPED) > mapping->end - at) {
			at += PAGE_BYTES;
			continue;
		}
		error = add_block(walk, at, head & ~(uint64_t)GLIBC_MMAPPED);
		at += head & ~(uint64_t)GLIBC_MMAPPED;
	}
	return error;
}

int arena_walk_mapped(struct walk *walk)
{
	const struct maps *maps = walk->input->maps;
	size_t nr_spans = walk->out->spans.nr;
	int error = 0;

	for (size_t i = 0; i < maps->nr && !error; i++) {
		const struct mapping *mapping = &maps->items[i];

		if (mapping->readable && mapping->writable && !mapping->shared &&
		    !mapping->inode && !*mapping->path)
			error = search_mapping(walk, mapping, nr_spans);
	}
	return error;
}
