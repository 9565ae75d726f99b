/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See content.h. */
#include "content.h"

#include <string.h>

#include "../base/utf8.h"

#define WORDS_MOST 64u
#define TEXT_LEAST 4
#define UTF8_LONGEST 4

/* The words at which objects have their type: C++ and tables of operations, python's, and python's
 * behind what its collector of garbage has before them. */
static const unsigned type_words[] = { 0, 1, 3 };

static unsigned read_words(const struct space *space, const struct scan_block *block,
			   uint64_t words[WORDS_MOST])
{
	unsigned nr = 0;

	while (nr < WORDS_MOST && nr < block->size / 8 &&
	       space_word(space, block->address + nr * 8, &words[nr]))
		nr++;
	return nr;
}

/* By the first word any data, also such as never changes; by others only such as does: an address of
 * a text is no type. */
static bool is_type(const struct maps *maps, uint64_t word, unsigned at)
{
	const struct mapping *mapping;

	if (word & 7 || word < 4096)
		return false;
	mapping = maps_find(maps, word);
	return mapping && mapping->readable && !mapping->executable &&
	       (!at || mapping->writable) && maps_is_of_file(maps, mapping);
}

static bool find_type(const struct maps *maps, const uint64_t *words, unsigned nr,
		      struct content *out)
{
	for (size_t i = 0; i < sizeof(type_words) / sizeof(*type_words); i++) {
		unsigned at = type_words[i];

		if (at >= nr || !is_type(maps, words[at], at))
			continue;
		*out = (struct content){ CONTENT_OBJECT, words[at], at * 8 };
		return true;
	}
	return false;
}

static bool is_of_text(uint32_t character)
{
	return character != UTF8_REPLACEMENT && character != 0x7f &&
	       (character >= ' ' || character == '\t' || character == '\n' || character == '\r');
}

/* Characters up to a 0 byte, or to the last ones that are looked at, which may be cut. */
static bool is_text(const uint64_t *words, unsigned nr)
{
	char text[WORDS_MOST * 8 + 1] = "";
	const char *at = text, *end = text + nr * 8;

	memcpy(text, words, nr * 8ul);
	while (*at) {
		if (!is_of_text(utf8_next(&at)))
			return at > text + TEXT_LEAST && end - at < UTF8_LONGEST;
	}
	return at >= text + TEXT_LEAST;
}

/* Arrays of them have a few other words, as for what was deleted. */
static bool are_pointers(unsigned pointers, unsigned others)
{
	return pointers && others <= pointers / 8;
}

static enum content_kind kind_of(const struct blocks *blocks, const uint64_t *words, unsigned nr)
{
	unsigned pointers = 0, others = 0;

	for (unsigned i = 0; i < nr; i++) {
		uint32_t id = words[i] ? blocks_find(blocks, words[i]) : BLOCKS_NONE;

		if (id != BLOCKS_NONE && blocks->items[id].address == words[i])
			pointers++;
		else if (words[i])
			others++;
	}
	if (!pointers && !others)
		return CONTENT_ZEROS;
	if (are_pointers(pointers, others))
		return CONTENT_POINTERS;
	return is_text(words, nr) ? CONTENT_TEXT : CONTENT_OTHER;
}

struct content content_of(const struct space *space, const struct maps *maps,
			  const struct blocks *blocks, const struct scan_block *block)
{
	struct content content = { .kind = CONTENT_OTHER };
	uint64_t words[WORDS_MOST];
	unsigned nr = read_words(space, block, words);

	if (nr && !find_type(maps, words, nr, &content))
		content.kind = kind_of(blocks, words, nr);
	return content;
}
