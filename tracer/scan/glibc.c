/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See glibc.h. */
#include "glibc.h"

const struct glibc_arena_layout glibc_arena_layouts[GLIBC_NR_ARENA_LAYOUTS] = {
	/* 2.27 to 2.42 */
	{ .nr_fastbins = 10, .fastbins = 16, .top = 96, .bins = 112, .next = 2160,
	  .system_bytes = 2184, .most_bytes = 2192, .bytes = 2200 },
	/* 2.23 to 2.26 */
	{ .nr_fastbins = 10, .fastbins = 8, .top = 88, .bins = 104, .next = 2152,
	  .system_bytes = 2176, .most_bytes = 2184, .bytes = 2192 },
	/* 2.17 to 2.22 */
	{ .nr_fastbins = 10, .fastbins = 8, .top = 88, .bins = 104, .next = 2152,
	  .system_bytes = 2168, .most_bytes = 2176, .bytes = 2184 },
	/* after 2.42 */
	{ .nr_fastbins = 0, .top = 8, .bins = 24, .next = 2072,
	  .system_bytes = 2096, .most_bytes = 2104, .bytes = 2112 },
};

const struct glibc_tcache_layout glibc_tcache_layouts[GLIBC_NR_TCACHE_LAYOUTS] = {
	{ .chunk_bytes = 0x290, .nr_lists = 64, .lists = 128 },	/* 2.30 to 2.41 */
	{ .chunk_bytes = 0x250, .nr_lists = 64, .lists = 64 },	/* 2.26 to 2.29 */
	{ .chunk_bytes = 0x300, .nr_lists = 76, .lists = 152 },	/* 2.42 */
};
