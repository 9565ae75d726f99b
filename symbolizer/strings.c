/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Open addressing over offsets into one block of bytes; half of the slots stay free. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../tracer/base/hash.h"
#include "strings.h"
#include "wire.h"

#define STRING_MAX 65536

static uint64_t hash_text(const char *text, size_t bytes)
{
	uint64_t hash = bytes;

	while (bytes--)
		hash = hash * 31 + (unsigned char)*text++;
	return hash_u64(hash);
}

static uint32_t *find_slot(const struct strings *strings, const char *text, size_t bytes)
{
	size_t mask = strings->nr_slots - 1;
	size_t at = hash_text(text, bytes) & mask;
	uint32_t offset;

	while ((offset = strings->slots[at]) &&
	       (strncmp(strings->items + offset, text, bytes) || strings->items[offset + bytes]))
		at = (at + 1) & mask;
	return &strings->slots[at];
}

static int grow_slots(struct strings *strings)
{
	struct strings bigger = *strings;

	if (strings->nr_used * 2 < strings->nr_slots)
		return 0;
	bigger.nr_slots = strings->nr_slots ? strings->nr_slots * 2 : 1024;
	bigger.slots = calloc(bigger.nr_slots, sizeof(*bigger.slots));
	if (!bigger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < strings->nr_slots; i++) {
		const char *text = strings->items + strings->slots[i];

		if (strings->slots[i])
			*find_slot(&bigger, text, strlen(text)) = strings->slots[i];
	}
	free(strings->slots);
	*strings = bigger;
	return 0;
}

static int grow_items(struct strings *strings, size_t bytes)
{
	size_t room = strings->room ? strings->room : 65536;
	char *grown;

	while (room < strings->nr + bytes + 2)
		room *= 2;
	if (room == strings->room)
		return 0;
	grown = realloc(strings->items, room);
	if (!grown)
		return -ENOMEM;
	strings->items = grown;
	strings->room = room;
	if (!strings->nr)
		strings->items[strings->nr++] = '\0';
	return 0;
}

uint32_t strings_add(struct strings *strings, const char *text)
{
	size_t bytes = text ? strnlen(text, STRING_MAX) : 0;
	uint32_t *slot;

	if (!bytes || strings->nr + bytes + 2 > WIRE_STRINGS_MAX)
		return 0;
	if (grow_items(strings, bytes) || grow_slots(strings))
		return 0;
	slot = find_slot(strings, text, bytes);
	if (!*slot) {
		*slot = (uint32_t)strings->nr;
		memcpy(strings->items + strings->nr, text, bytes);
		strings->nr += bytes;
		strings->items[strings->nr++] = '\0';
		strings->nr_used++;
	}
	return *slot;
}

void strings_release(struct strings *strings)
{
	free(strings->items);
	free(strings->slots);
	*strings = (struct strings){ 0 };
}
