/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lld and gold give .eh_frame the type SHT_X86_64_UNWIND, GNU ld SHT_PROGBITS: asking for the
 * latter finds both.
 */
#include <string.h>

#include "sections.h"

static int is_type(GElf_Word found, GElf_Word wanted)
{
	return found == wanted || (wanted == SHT_PROGBITS && found == SHT_X86_64_UNWIND);
}

Elf_Scn *section_find(Elf *elf, GElf_Word type, const char *name, GElf_Shdr *header)
{
	Elf_Scn *section = NULL;
	const char *found;
	size_t names;

	if (elf_getshdrstrndx(elf, &names))
		return NULL;
	while ((section = elf_nextscn(elf, section))) {
		if (!gelf_getshdr(section, header) || !is_type(header->sh_type, type))
			continue;
		found = elf_strptr(elf, names, header->sh_name);
		if (!name || (found && !strcmp(found, name)))
			return section;
	}
	return NULL;
}
