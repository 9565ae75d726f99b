/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which C library a file is or contains.  glibc's libc.so.6 says so in its version definitions:
 * the base one is the SONAME, the highest GLIBC_2.x the release.  Elsewhere only the banners
 * that the libraries print tell, where the linker kept them.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libc_version.h"
#include "sections.h"

#define SEARCH_BYTES_MAX (16u << 20)
#define DEFINITIONS_MAX 4096

static const char *definition_name(Elf *elf, Elf_Data *data, int at, size_t strings,
				   GElf_Verdef *definition)
{
	GElf_Verdaux name;

	if (!gelf_getverdef(data, at, definition) || definition->vd_aux > INT_MAX - (unsigned)at ||
	    !gelf_getverdaux(data, at + (int)definition->vd_aux, &name))
		return NULL;
	return elf_strptr(elf, strings, name.vda_name);
}

/* -1: no glibc; versions are GLIBC_2.x, GLIBC_2.x.y and GLIBC_PRIVATE. */
static int glibc_release(Elf *elf)
{
	GElf_Shdr header;
	Elf_Scn *section = section_find(elf, SHT_GNU_verdef, NULL, &header);
	Elf_Data *data = section ? elf_getdata(section, NULL) : NULL;
	bool is_libc = false;
	int release = -1, at = 0;
	GElf_Verdef definition = { .vd_next = 1 };

	for (int nr = 0; data && definition.vd_next && nr < DEFINITIONS_MAX; nr++) {
		const char *name = definition_name(elf, data, at, header.sh_link, &definition);

		if (!name || definition.vd_next > INT_MAX - (unsigned)at)
			break;
		if (definition.vd_flags & VER_FLG_BASE)
			is_libc = !strcmp(name, "libc.so.6");
		else if (!strncmp(name, "GLIBC_2.", 8) && atoi(name + 8) > release)
			release = atoi(name + 8);
		at += (int)definition.vd_next;
	}
	return is_libc ? release : -1;
}

/* What follows the text in the section; empty: it is not there. */
static Elf_Data find_text(Elf *elf, GElf_Word type, const char *name, const char *text,
			  size_t text_bytes)
{
	GElf_Shdr header;
	Elf_Scn *section = section_find(elf, type, name, &header);
	Elf_Data *data = section ? elf_getdata(section, NULL) : NULL, rest = { .d_buf = NULL };
	size_t bytes = data && data->d_buf ? data->d_size : 0;
	char *found = NULL;

	if (bytes > SEARCH_BYTES_MAX)
		bytes = SEARCH_BYTES_MAX;
	if (bytes)
		found = memmem(data->d_buf, bytes, text, text_bytes);
	if (found) {
		rest.d_buf = found + text_bytes;
		rest.d_size = bytes - (size_t)(found + text_bytes - (char *)data->d_buf);
	}
	return rest;
}

/* "GNU C Library (Debian GLIBC 2.36-9) stable release version 2.36." */
static void search_glibc(Elf *elf, char *out, size_t bytes)
{
	static const char key[] = " release version 2.";
	Elf_Data rest = find_text(elf, SHT_PROGBITS, ".rodata", "GNU C Library (", 15);
	char banner[128] = "", *release;

	if (!rest.d_buf)
		return;
	memcpy(banner, rest.d_buf, rest.d_size < sizeof(banner) ? rest.d_size : sizeof(banner) - 1);
	release = strstr(banner, key);
	if (release)
		snprintf(out, bytes, "glibc 2.%d", atoi(release + sizeof(key) - 1));
}

static bool is_musl(Elf *elf)
{
	static const char symbol[] = "\0__libc_malloc_impl";

	return find_text(elf, SHT_PROGBITS, ".rodata", "musl libc (", 11).d_buf ||
	       find_text(elf, SHT_STRTAB, ".strtab", symbol, sizeof(symbol)).d_buf;
}

void libc_version(Elf *elf, bool search, char *out, size_t bytes)
{
	int release = glibc_release(elf);

	out[0] = '\0';
	if (release >= 0)
		snprintf(out, bytes, "glibc 2.%d", release);
	else if (search && is_musl(elf))
		snprintf(out, bytes, "musl");
	else if (search)
		search_glibc(elf, out, bytes);
}
