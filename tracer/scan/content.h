/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a block of which nothing is known holds, by its looks.  Chance can make it look like anything:
 * it is a hint for who reads a report, and nothing is judged by it.
 *
 * Pure.
 */
#ifndef MEMTRACE_SCAN_CONTENT_H
#define MEMTRACE_SCAN_CONTENT_H

#include "../target/maps.h"
#include "blocks.h"
#include "space.h"

enum content_kind {
	CONTENT_OTHER,
	CONTENT_ZEROS,
	CONTENT_TEXT,
	CONTENT_POINTERS,	/* nearly all words that are not 0 are addresses of blocks */
	CONTENT_OBJECT,		/* one of its first words leads to a module's data: a C++ class's
				 * table, a type of python's, a table of operations */
	CONTENT_KINDS
};

struct content {
	enum content_kind kind;
	taddr_t table;		/* CONTENT_OBJECT: where that word leads to */
	unsigned at;		/* and the word's offset */
};

struct content content_of(const struct space *space, const struct maps *maps,
			  const struct blocks *blocks, const struct scan_block *block);

#endif
