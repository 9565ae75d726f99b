/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The strings of one reply, each stored once; offset 0 is the empty string. */
#ifndef MEMTRACE_SYMBOLIZER_STRINGS_H
#define MEMTRACE_SYMBOLIZER_STRINGS_H

#include <stddef.h>
#include <stdint.h>

struct strings {
	char *items;
	size_t nr, room;
	uint32_t *slots;	/* offsets by hash; 0: free */
	size_t nr_slots, nr_used;
};

/* The offset; 0 for NULL, for "" and where there is no room for it. */
uint32_t strings_add(struct strings *strings, const char *text);
void strings_release(struct strings *strings);

#endif
