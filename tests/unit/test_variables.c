/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses of data to variables, through the symbolizer's public functions; nm tells the addresses. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../symbolizer/symbolizer.h"
#include "folder.h"

static const char c_program[] =
	"extern long shared[4];\n"
	"long shared[4] = { 1 };\n"					/* line 2 */
	"static void *hidden[16];\n"					/* line 3 */
	"_Thread_local long of_thread = 1;\n"
	"static const char text[] = \"text\";\n"
	"int main(int argc, char **argv)\n"
	"{\n"
	"	static void *kept[2];\n"				/* line 8 */
	"	hidden[argc] = argv; kept[argc & 1] = argv; shared[1] = argc;\n"
	"	{ extern char _end; hidden[0] = &_end; }\n"
	"	return !hidden[1] + !kept[1] + (int)of_thread + text[argc];\n"
	"}\n";

static const char cpp_program[] =
	"namespace shop {\n"
	"struct Cache { static Cache *all[3]; };\n"
	"Cache *Cache::all[3];\n"					/* line 3 */
	"namespace { Cache *last; }\n"					/* line 4 */
	"Cache *take() { static Cache one; return last = Cache::all[1] = &one; }\n"	/* line 5 */
	"}\n"
	"int main() { return !shop::take(); }\n";

struct lookup {
	struct symbolizer *symbolizer;
	struct elf_module module;
	struct symbol_frames found;
	struct symbol_table *table;
};

static int set_up(void **state)
{
	assert_int_equal(make_folder(state), 0);
	assert_int_equal(chmod(folder, 0755), 0);	/* the process may not be root */
	write_file("c.c", c_program);
	write_file("cpp.cc", cpp_program);
	run("gcc -O0 -g c.c -o c && g++ -O0 -g cpp.cc -o cpp");
	return 0;
}

/* pattern: of a whole name, as the file has it. */
static uint64_t vaddr_of(const char *program, const char *pattern)
{
	char command[512];
	uint64_t vaddr = 0;
	FILE *out;

	snprintf(command, sizeof(command), "nm %s | grep -E ' %s$' | cut -d' ' -f1",
		 in_folder(program), pattern);
	out = popen(command, "r");
	assert_non_null(out);
	assert_int_equal(fscanf(out, "%lx", &vaddr), 1);
	assert_int_equal(pclose(out), 0);
	return vaddr;
}

static void look_up(struct lookup *lookup, const char *program, uint64_t vaddr)
{
	const struct symbolizer_config config = { 0 };
	int fd = open(in_folder(program), O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(symbolizer_start(&config, &lookup->symbolizer), 0);
	assert_int_equal(symbolizer_open_module(lookup->symbolizer, fd, in_folder(program),
						&lookup->module), 0);
	assert_int_equal(symbolizer_variables(lookup->symbolizer, lookup->module.id, &vaddr, 1,
					      &lookup->found, &lookup->table), 0);
	close(fd);
}

static void look_down(struct lookup *lookup)
{
	symbol_table_release(lookup->table);
	elf_module_release(&lookup->module);
	symbolizer_stop(lookup->symbolizer);
}

/* file == NULL: none is known. */
static void is_variable(const char *program, uint64_t vaddr, const char *name, uint32_t offset,
			const char *file, uint32_t line)
{
	struct lookup lookup;

	look_up(&lookup, program, vaddr);
	assert_int_equal(lookup.found.nr, 1);
	assert_string_equal(lookup.found.frames[0].function, name);
	assert_int_equal(lookup.found.frames[0].offset, offset);
	assert_int_equal(lookup.found.frames[0].line, line);
	if (file)
		assert_string_equal(lookup.found.frames[0].file, in_folder(file));
	else
		assert_null(lookup.found.frames[0].file);
	look_down(&lookup);
}

static void is_nothing(const char *program, uint64_t vaddr)
{
	struct lookup lookup;

	look_up(&lookup, program, vaddr);
	assert_int_equal(lookup.found.nr, 0);
	look_down(&lookup);
}

static void test_globals(void **state)
{
	is_variable("c", vaddr_of("c", "shared"), "shared", 0, "c.c", 2);
	is_variable("c", vaddr_of("c", "shared") + 31, "shared", 31, "c.c", 2);
	is_variable("c", vaddr_of("c", "hidden") + 0x10, "hidden", 0x10, "c.c", 3);
}

static void test_of_functions(void **state)
{
	uint64_t vaddr = vaddr_of("c", "kept[.][0-9]+");
	struct lookup lookup;

	look_up(&lookup, "c", vaddr + 8);
	assert_int_equal(lookup.found.nr, 1);
	assert_int_equal(strncmp(lookup.found.frames[0].function, "kept.", 5), 0);
	assert_int_equal(lookup.found.frames[0].offset, 8);
	assert_int_equal(lookup.found.frames[0].line, 8);
	look_down(&lookup);
}

static void test_cpp(void **state)
{
	is_variable("cpp", vaddr_of("cpp", "_ZN4shop5Cache3allE") + 8, "shop::Cache::all", 8,
		    "cpp.cc", 3);
	is_variable("cpp", vaddr_of("cpp", "_ZN4shop12_GLOBAL__N_14lastE"),
		    "shop::(anonymous namespace)::last", 0, "cpp.cc", 4);
	is_variable("cpp", vaddr_of("cpp", "_ZZN4shop4takeEvE3one"), "shop::take()::one", 0,
		    "cpp.cc", 5);
}

/* Code, marks of the linker, thread-local variables, and what no module has. */
static void test_no_variables(void **state)
{
	is_nothing("c", vaddr_of("c", "main"));
	is_nothing("c", vaddr_of("c", "_end"));
	is_nothing("c", vaddr_of("c", "of_thread"));
	is_nothing("c", 0x7fffffff0000);
}

static void test_symbol_table_only(void **state)
{
	run("strip --strip-debug c -o bare");
	is_variable("bare", vaddr_of("c", "hidden") + 8, "hidden", 8, NULL, 0);
}

static void test_separate_file(void **state)
{
	run("cp c linked && mkdir -p .debug && objcopy --only-keep-debug c .debug/linked.debug && "
	    "strip linked && objcopy --remove-section=.note.gnu.build-id "
	    "--add-gnu-debuglink=.debug/linked.debug linked");
	is_variable("linked", vaddr_of("c", "hidden") + 8, "hidden", 8, "c.c", 3);
}

static void test_nothing_left(void **state)
{
	run("strip c -o stripped");
	is_nothing("stripped", vaddr_of("c", "hidden"));
}

/* Asked of one module after the other, and code between. */
static void test_with_frames(void **state)
{
	uint64_t code = vaddr_of("c", "main");
	struct symbol_frames frames;
	struct symbol_table *table;
	struct lookup lookup;

	look_up(&lookup, "c", vaddr_of("c", "shared"));
	assert_int_equal(symbolizer_frames(lookup.symbolizer, lookup.module.id, &code, 1, &frames,
					   &table), 0);
	assert_int_equal(frames.nr, 1);
	assert_string_equal(frames.frames[0].function, "main");
	assert_int_equal(frames.frames[0].offset, 0);
	assert_string_equal(lookup.found.frames[0].function, "shared");
	symbol_table_release(table);
	look_down(&lookup);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_globals),
		cmocka_unit_test(test_of_functions),
		cmocka_unit_test(test_cpp),
		cmocka_unit_test(test_no_variables),
		cmocka_unit_test(test_symbol_table_only),
		cmocka_unit_test(test_separate_file),
		cmocka_unit_test(test_nothing_left),
		cmocka_unit_test(test_with_frames),
	};

	return cmocka_run_group_tests(tests, set_up, remove_folder);
}
