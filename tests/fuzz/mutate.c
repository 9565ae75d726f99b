/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes flipped anywhere, files cut short, headers with extreme numbers, and the sections that the
 * symbolizer reads filled with what is nearly right: parts of themselves at other places, numbers
 * that mean much, instructions in any order.
 */
#include "mutate.h"

#include <elf.h>
#include <stdbool.h>
#include <string.h>

#define ENDLESS_BYTES (1ull << 30)

uint64_t random_next(struct random *random)
{
	uint64_t z = random->state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

uint64_t random_below(struct random *random, uint64_t end)
{
	return random_next(random) % end;
}

/* What counts, offsets and lengths go wrong at. */
static uint64_t extreme(struct random *random)
{
	static const uint64_t values[] = {
		0, 1, 2, 7, 8, 0x7f, 0x80, 0xff, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffff0,
		0xffffffec, 0xffffffff, 1ull << 32, 1ull << 40, INT64_MAX, 1ull << 63, UINT64_MAX,
	};

	return values[random_below(random, sizeof(values) / sizeof(values[0]))];
}

static void put(struct bytes part, size_t at, uint64_t value, size_t bytes)
{
	if (at < part.nr)
		memcpy(part.at + at, &value, bytes < part.nr - at ? bytes : part.nr - at);
}

static void flip(struct bytes part, struct random *random)
{
	for (uint64_t i = random_below(random, 64) + 1; i-- && part.nr;)
		part.at[random_below(random, part.nr)] = (uint8_t)random_next(random);
}

static void put_extremes(struct bytes part, struct random *random)
{
	for (uint64_t i = random_below(random, 8) + 1; i-- && part.nr;)
		put(part, random_below(random, part.nr), extreme(random),
		    1u << random_below(random, 4));
}

/* References then lead elsewhere, or around in a circle. */
static void move_parts(struct bytes part, struct random *random)
{
	size_t from, to, bytes;

	if (!part.nr)
		return;
	for (uint64_t i = random_below(random, 8) + 1; i--;) {
		from = random_below(random, part.nr);
		to = random_below(random, part.nr);
		bytes = random_below(random, 64);
		bytes = bytes < part.nr - (from > to ? from : to) ? bytes :
			part.nr - (from > to ? from : to);
		memmove(part.at + to, part.at + from, bytes);
	}
}

static void fill(struct bytes part, struct random *random)
{
	size_t from = part.nr ? random_below(random, part.nr) : 0;

	for (size_t i = from; i < part.nr && i < from + 256; i++)
		part.at[i] = (uint8_t)random_next(random);
}

static void change(struct bytes part, struct random *random)
{
	static void (*const ways[])(struct bytes, struct random *) = {
		flip, put_extremes, move_parts, fill,
	};

	ways[random_below(random, sizeof(ways) / sizeof(ways[0]))](part, random);
}

struct table {			/* of headers of one kind */
	struct bytes all;
	size_t header_bytes, nr;
};

static struct table table_at(struct bytes file, uint64_t offset, size_t header_bytes, size_t nr)
{
	struct table table = { .header_bytes = header_bytes };

	if (offset < file.nr && (file.nr - offset) / header_bytes >= nr) {
		table.all = (struct bytes){ file.at + offset, nr * header_bytes };
		table.nr = nr;
	}
	return table;
}

static struct table sections_of(struct bytes file)
{
	Elf64_Ehdr header;

	memcpy(&header, file.at, sizeof(header));
	return table_at(file, header.e_shoff, sizeof(Elf64_Shdr), header.e_shnum);
}

static struct table segments_of(struct bytes file)
{
	Elf64_Ehdr header;

	memcpy(&header, file.at, sizeof(header));
	return table_at(file, header.e_phoff, sizeof(Elf64_Phdr), header.e_phnum);
}

static void change_header(struct table table, struct random *random)
{
	size_t at = table.nr ? random_below(random, table.nr) * table.header_bytes : 0;

	if (table.nr)
		put(table.all, at + random_below(random, table.header_bytes / 8) * 8,
		    extreme(random), 1u << random_below(random, 4));
}

/* One with contents, whose header is handed out. */
static struct bytes some_section(struct bytes file, struct random *random, uint8_t **header_at)
{
	struct table table = sections_of(file);
	Elf64_Shdr header;

	for (int tries = 0; table.nr && tries < 16; tries++) {
		*header_at = table.all.at + random_below(random, table.nr) * sizeof(header);
		memcpy(&header, *header_at, sizeof(header));
		if (header.sh_type != SHT_NOBITS && header.sh_size && header.sh_offset < file.nr &&
		    header.sh_size <= file.nr - header.sh_offset)
			return (struct bytes){ file.at + header.sh_offset, header.sh_size };
	}
	return (struct bytes){ file.at, 0 };
}

/* A bomb: 1 TB, it says, out of what is there. */
static void claim_compressed(struct bytes file, struct random *random)
{
	Elf64_Chdr claim = { .ch_type = ELFCOMPRESS_ZLIB, .ch_addralign = 1 };
	uint8_t *header_at;
	struct bytes part = some_section(file, random, &header_at);
	Elf64_Shdr header;

	if (part.nr < sizeof(claim))
		return;
	memcpy(&header, header_at, sizeof(header));
	header.sh_flags |= SHF_COMPRESSED;
	memcpy(header_at, &header, sizeof(header));
	claim.ch_size = random_below(random, 2) ? 1ull << 40 : part.nr * 1000;
	memcpy(part.at, &claim, sizeof(claim));
}

static void cut(struct bytes *file, struct random *random)
{
	if (file->nr > sizeof(Elf64_Ehdr))
		file->nr = sizeof(Elf64_Ehdr) + random_below(random, file->nr - sizeof(Elf64_Ehdr));
}

/* Of zeros, beyond the end of what was there. */
uint64_t mutate_to_endless(struct bytes file, uint64_t seed)
{
	struct random random = { seed };
	struct table table = sections_of(file);
	Elf64_Shdr header;
	uint8_t *at;

	if (table.nr < 2)
		return file.nr;
	at = table.all.at + (1 + random_below(&random, table.nr - 1)) * sizeof(header);
	memcpy(&header, at, sizeof(header));
	header.sh_size = ENDLESS_BYTES - header.sh_offset % ENDLESS_BYTES;
	memcpy(at, &header, sizeof(header));
	return ENDLESS_BYTES;
}

void mutate(struct bytes *file, uint64_t seed)
{
	struct random random = { seed * 2654435761u };
	uint8_t *header_at;

	for (uint64_t i = random_below(&random, 3) + 1; i--;) {
		switch (random_below(&random, 16)) {
		case 0: cut(file, &random); break;
		case 1: change(*file, &random); break;
		case 2: change((struct bytes){ file->at, sizeof(Elf64_Ehdr) }, &random); break;
		case 3: change_header(segments_of(*file), &random); break;
		case 4:
		case 5: change_header(sections_of(*file), &random); break;
		case 6: claim_compressed(*file, &random); break;
		default: change(some_section(*file, &random, &header_at), &random); break;
		}
	}
}
