/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * By what the file has, and not by its name: a symbol that the runtime cannot do without, which is
 * in .dynsym where other files need it, and for Go a section that its linker always writes.
 */
#include "runtimes.h"

#include <string.h>

#include "sections.h"
#include "symbolizer.h"

#define SEARCH_BYTES_MAX (64u << 20)

static const struct {
	const char *name;
	uint32_t runtime;
	bool also_used;		/* also where the file only refers to it */
} marks[] = {
	{ "__asan_init", RUNTIME_ASAN, true },
	{ "__tsan_init", RUNTIME_TSAN, true },
	{ "__msan_init", RUNTIME_MSAN, true },
	{ "__lsan_init", RUNTIME_LSAN, false },
	{ "JNI_CreateJavaVM", RUNTIME_JAVA, false },
	{ "_ZN2v87Isolate3NewERKNS0_12CreateParamsE", RUNTIME_V8, false },
	{ "Py_BytesMain", RUNTIME_PYTHON, false },
	{ "Py_Main", RUNTIME_PYTHON, false },
};

uint32_t runtime_of_symbol(const char *name, bool defined)
{
	if (*name != '_' && *name != 'J' && *name != 'P')
		return 0;
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if ((defined || marks[i].also_used) && !strcmp(name, marks[i].name))
			return marks[i].runtime;
	return 0;
}

/* Whether its own allocator is built in: only then does it know the name of the allocator. */
static bool has_pymalloc(Elf *elf)
{
	static const char text[] = "pymalloc_debug";
	GElf_Shdr header;
	Elf_Scn *section = section_find(elf, SHT_PROGBITS, ".rodata", &header);
	Elf_Data *data = section ? elf_getdata(section, NULL) : NULL;
	size_t bytes = data && data->d_buf ? data->d_size : 0;

	if (bytes > SEARCH_BYTES_MAX)
		bytes = SEARCH_BYTES_MAX;
	return bytes && memmem(data->d_buf, bytes, text, sizeof(text));
}

uint32_t runtimes_settle(Elf *elf, uint32_t of_symbols)
{
	GElf_Shdr header;

	if (of_symbols & RUNTIME_PYTHON && !has_pymalloc(elf))
		of_symbols &= ~(uint32_t)RUNTIME_PYTHON;
	if (section_find(elf, SHT_PROGBITS, ".go.buildinfo", &header))
		of_symbols |= RUNTIME_GO;
	return of_symbols;
}
