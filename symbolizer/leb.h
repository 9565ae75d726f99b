/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads numbers of the forms that DWARF has (DWARF 5, 7.6), never beyond the end. */
#ifndef MEMTRACE_SYMBOLIZER_LEB_H
#define MEMTRACE_SYMBOLIZER_LEB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct leb_cursor {
	const uint8_t *at, *end;
};

/* All return false at the end of the bytes, and then have moved nothing. */

static inline bool leb_unsigned(struct leb_cursor *cursor, uint64_t *value)
{
	unsigned shift = 0;

	*value = 0;
	for (const uint8_t *at = cursor->at; at < cursor->end; at++, shift += 7) {
		if (shift < 64)
			*value |= (uint64_t)(*at & 0x7f) << shift;
		if (!(*at & 0x80)) {
			cursor->at = at + 1;
			return true;
		}
	}
	return false;
}

static inline bool leb_signed(struct leb_cursor *cursor, uint64_t *value)
{
	const uint8_t *start = cursor->at;
	uint64_t bits;

	if (!leb_unsigned(cursor, value))
		return false;
	bits = 7 * (uint64_t)(cursor->at - start);
	if (bits < 64 && cursor->at[-1] & 0x40)
		*value |= ~0ull << bits;
	return true;
}

/* 1, 2, 4 or 8 bytes, little endian. */
static inline bool leb_fixed(struct leb_cursor *cursor, size_t bytes, uint64_t *value)
{
	if ((size_t)(cursor->end - cursor->at) < bytes)
		return false;
	*value = 0;
	memcpy(value, cursor->at, bytes);
	cursor->at += bytes;
	return true;
}

#endif
