/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files made so that a reader who believes them does not come to an end, or to one that takes all
 * memory: each costs what it says wrong and nothing else, and is answered at once.
 */
#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../symbolizer/symbolizer.h"
#include "../../tracer/base/clock.h"
#include "folder.h"

#define SOON_NS (15ull * 1000000000)

static const char *const names[] = { "main" };

/* A unit, and in it whatever the abbreviations 2 and 3 and the rest say. */
#define UNIT(abbreviations, entries)				\
	"	.text\n"					\
	"	.globl main\n"					\
	"	.type main, @function\n"			\
	"main:	.cfi_startproc\n"				\
	"	ret\n"						\
	"	.cfi_endproc\n"					\
	"	.size main, . - main\n"				\
	"	.section .note.GNU-stack\n"			\
	"	.section .debug_abbrev\n"			\
	"	.byte 1, 0x11, 1, 0x11, 0x01, 0x12, 0x07, 0, 0\n" \
	abbreviations						\
	"	.byte 0\n"					\
	"	.section .debug_info\n"				\
	"	.long end - start\n"				\
	"start:	.short 4\n"					\
	"	.long 0\n"					\
	"	.byte 8, 1\n"					\
	"	.quad main, 1\n"				\
	entries							\
	"end:\n"

#define FUNCTION_WITH(attribute, form)				\
	"	.byte 2, 0x2e, 1, 0x11, 0x01, 0x12, 0x07, " attribute ", " form ", 0, 0\n"
#define FUNCTION						\
	"self:	.byte 2\n"					\
	"	.quad main, 1\n"

/* Siblings: the next one is itself; the one before. */
static const char sibling_of_itself[] =
	UNIT(FUNCTION_WITH("0x01", "0x13"), FUNCTION "	.long self - start + 4\n	.byte 0\n");
static const char sibling_before[] =
	UNIT("	.byte 3, 0x34, 0, 0, 0\n" FUNCTION_WITH("0x01", "0x13"),
	     "first:	.byte 3\n" FUNCTION "	.long first - start + 4\n	.byte 0\n");
/* The origin of the function, which has its name, is the function. */
static const char origin_of_itself[] =
	UNIT(FUNCTION_WITH("0x31", "0x13"), FUNCTION "	.long self - start + 4\n	.byte 0\n");
/* Functions in functions, 20000 deep, each as large as the one around it. */
static const char deep[] =
	UNIT("	.byte 2, 0x2e, 1, 0x11, 0x01, 0x12, 0x07, 0, 0\n",
	     "	.rept 20000\n	.byte 2\n	.quad main, 1\n	.endr\n	.fill 20000\n");
/* The same inlined. */
static const char deep_inlined[] =
	UNIT("	.byte 2, 0x2e, 1, 0x11, 0x01, 0x12, 0x07, 0, 0\n"
	     "	.byte 3, 0x1d, 1, 0x11, 0x01, 0x12, 0x07, 0x58, 0x0b, 0x59, 0x0b, 0, 0\n",
	     FUNCTION "	.rept 20000\n	.byte 3\n	.quad main, 1\n	.byte 1, 1\n	.endr\n"
	     "	.fill 20000\n");
/* Units without an end, of no length. */
static const char empty_units[] =
	UNIT("", "	.fill 4000000, 4\n");
/* Attributes that say their form is the one that is meant, indirectly. */
static const char indirect[] =
	UNIT("	.byte 2, 0x2e, 0, 0x03, 0x16, 0, 0\n", "	.byte 2\n	.fill 100000, 1, 0x16\n");

/* Unwind data: rows without an end, states remembered without an end, CIE and FDE in a circle. */
static const char endless_rows[] =
	"	.text\n	.globl main\n	.type main, @function\n"
	"main:	.cfi_startproc\n"
	"	.rept 200000\n	.cfi_escape 0x0a, 0x0e, 0x10, 0x41, 0x0b\n	.endr\n"
	"	ret\n	.cfi_endproc\n	.size main, . - main\n	.section .note.GNU-stack\n";
static const char own_cie[] =
	"	.text\n	.globl main\n	.type main, @function\n"
	"main:\ncode:	ret\n	.size main, . - main\n	.section .note.GNU-stack\n"
	"	.section .eh_frame, \"a\", @progbits\n"
	"	.rept 20000\n"
	"	.long 16\n	.long 4\n	.quad code - .\n	.long 0\n"
	"	.endr\n";

struct answer {
	struct symbolizer *symbolizer;
	struct elf_module module;
	struct symbol_frames frames;
	struct symbol_table *table;
	uint64_t start_ns;
};

static int set_up(void **state)
{
	assert_int_equal(make_folder(state), 0);
	return chmod(folder, 0755);
}

static void open_hostile(struct answer *answer)
{
	const struct symbolizer_config config = { .names = names, .nr_names = 1 };
	int fd = open(in_folder("hostile"), O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	answer->start_ns = clock_ns();
	assert_int_equal(symbolizer_start(&config, &answer->symbolizer), 0);
	assert_int_equal(symbolizer_open_module(answer->symbolizer, fd, in_folder("hostile"),
						&answer->module), 0);
	close(fd);
	assert_true(answer->module.nr_symbols > 0);
}

/* The name is what the symbol table has: whatever else there is, it comes to an answer. */
static void check_answer(struct answer *answer)
{
	const struct symbol_frame *last;

	assert_int_equal(symbolizer_frames(answer->symbolizer, answer->module.id,
					   &answer->module.symbols[0].vaddr, 1, &answer->frames,
					   &answer->table), 0);
	assert_true(answer->frames.nr > 0);
	last = &answer->frames.frames[answer->frames.nr - 1];
	assert_true(!last->function || !strcmp(last->function, "main"));
	assert_true(clock_ns() - answer->start_ns < SOON_NS);
	symbol_table_release(answer->table);
	elf_module_release(&answer->module);
	symbolizer_stop(answer->symbolizer);
}

static void check_assembly(const char *text, const char *options)
{
	struct answer answer;
	char command[200];

	write_file("hostile.s", text);
	snprintf(command, sizeof(command), "gcc %s hostile.s -o hostile", options);
	run(command);
	open_hostile(&answer);
	check_answer(&answer);
}

static void test_entries(void **state)
{
	static const char *const texts[] = {
		sibling_of_itself, sibling_before, origin_of_itself, deep, deep_inlined, empty_units,
		indirect,
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		check_assembly(texts[i], "");
}

static void test_unwind_data(void **state)
{
	check_assembly(endless_rows, "");
	check_assembly(own_cie, "-nostdlib -shared");
}

/* The last version definition leads back to the first one. */
static void make_circle(uint8_t *file, size_t bytes)
{
	const Elf64_Ehdr *header = (const void *)file;
	const Elf64_Shdr *sections = (const void *)(file + header->e_shoff);

	for (size_t i = 0; i < header->e_shnum; i++) {
		uint8_t *at = file + sections[i].sh_offset;

		if (sections[i].sh_type != SHT_GNU_verdef)
			continue;
		while (((Elf64_Verdef *)at)->vd_next)
			at += ((Elf64_Verdef *)at)->vd_next;
		((Elf64_Verdef *)at)->vd_next =
			(Elf64_Word)(file + sections[i].sh_offset - at);
		return;
	}
	fail();
}

static void change_file(void (*change)(uint8_t *file, size_t bytes))
{
	int fd = open(in_folder("hostile"), O_RDWR | O_CLOEXEC);
	struct stat status;
	void *file;

	assert_int_equal(fstat(fd, &status), 0);
	file = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(file != MAP_FAILED);
	change(file, (size_t)status.st_size);
	munmap(file, (size_t)status.st_size);
	close(fd);
}

static void test_versions_in_a_circle(void **state)
{
	struct answer answer;

	write_file("hostile.c", "int main(void) { return 0; }\n");
	write_file("versions", "BASE { global: main; };\nGLIBC_2.3 { } BASE;\nGLIBC_2.4 { } GLIBC_2.3;\n");
	run("gcc -shared -fPIC -nostdlib -Wl,-soname,libc.so.6 -Wl,--version-script=versions "
	    "hostile.c -o hostile");
	change_file(make_circle);
	open_hostile(&answer);
	check_answer(&answer);
}

/* Each section that the loader does not need is 1 TB when it is unpacked. */
static void make_bombs(uint8_t *file, size_t bytes)
{
	const Elf64_Chdr claim = { ELFCOMPRESS_ZLIB, 0, 1ull << 40, 1 };
	const Elf64_Ehdr *header = (const void *)file;
	Elf64_Shdr *sections = (void *)(file + header->e_shoff);

	for (size_t i = 1; i < header->e_shnum; i++) {
		if (sections[i].sh_type != SHT_PROGBITS || sections[i].sh_flags & SHF_ALLOC ||
		    sections[i].sh_size < sizeof(claim))
			continue;
		sections[i].sh_flags |= SHF_COMPRESSED;
		memcpy(file + sections[i].sh_offset, &claim, sizeof(claim));
	}
}

/* Or that long as it is. */
static void make_long(uint8_t *file, size_t bytes)
{
	const Elf64_Ehdr *header = (const void *)file;
	Elf64_Shdr *sections = (void *)(file + header->e_shoff);

	for (size_t i = 1; i < header->e_shnum; i++)
		if (sections[i].sh_type == SHT_PROGBITS && !(sections[i].sh_flags & SHF_ALLOC))
			sections[i].sh_size = 1ull << 40;
}

static void check_changed(void (*change)(uint8_t *file, size_t bytes))
{
	struct answer answer;

	write_file("hostile.c", "int main(void) { return 0; }\n");
	run("gcc -g hostile.c -o hostile");
	change_file(change);
	open_hostile(&answer);
	check_answer(&answer);
}

static void test_sizes(void **state)
{
	check_changed(make_bombs);
	check_changed(make_long);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entries),
		cmocka_unit_test(test_unwind_data),
		cmocka_unit_test(test_versions_in_a_circle),
		cmocka_unit_test(test_sizes),
	};

	return cmocka_run_group_tests(tests, set_up, remove_folder);
}
