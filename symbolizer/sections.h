/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sections of an ELF file by type and name. */
#ifndef MEMTRACE_SYMBOLIZER_SECTIONS_H
#define MEMTRACE_SYMBOLIZER_SECTIONS_H

#include <gelf.h>

/* The first one with contents; name NULL: whatever its name.  NULL: none. */
Elf_Scn *section_find(Elf *elf, GElf_Word type, const char *name, GElf_Shdr *header);

#endif
