/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unwind rules of functions written in assembly, one directive per expectation, and the form of the
 * rules of libc.  Each function's label is looked up through the symbolizer.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../symbolizer/rules.h"
#include "../../symbolizer/symbolizer.h"
#include "folder.h"

enum { LEAF, FRAME, DEREF, OUTERMOST, SIGNAL, ODD, GAP, ADJACENT, PLAIN,
       ALIGNED };

static const char *const names[] = {
	"leaf", "frame", "deref", "outermost", "signal_return", "odd", "gap", "adjacent", "plain",
	"aligned",
};

/* Between `gap` and `adjacent` nothing is known of 16 bytes. */
static const char assembly[] =
	".macro func name\n"
	"	.globl \\name\n"
	"	.type \\name, @function\n"
	"\\name:\n"
	"	.cfi_startproc\n"
	".endm\n"
	".macro end name\n"
	"	.cfi_endproc\n"
	"	.size \\name, .-\\name\n"
	".endm\n"
	".text\n"
	"func leaf; nop; ret; end leaf\n"
	"func plain; nop; ret; end plain\n"
	"func frame\n"
	"	push %rbp\n"				/* +0, 1 byte */
	"	.cfi_def_cfa_offset 16\n"
	"	.cfi_offset %rbp, -16\n"
	"	mov %rsp, %rbp\n"			/* +1, 3 bytes */
	"	.cfi_def_cfa_register %rbp\n"
	"	pop %rbp\n"				/* +4 */
	"	.cfi_def_cfa %rsp, 8\n"
	"	.cfi_restore %rbp\n"
	"	ret\n"					/* +5 */
	"end frame\n"
	"func deref\n"
	"	.cfi_escape 0x0f, 0x05, 0x77, 0x10, 0x06, 0x23, 0x08\n"	/* *(rsp + 16) + 8 */
	"	nop; ret\n"
	"end deref\n"
	"func outermost\n"
	"	.cfi_undefined %rip\n"
	"	nop\n"
	"end outermost\n"
	"func signal_return\n"
	"	.cfi_signal_frame\n"
	"	.byte 0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05\n"
	"end signal_return\n"
	"func aligned\n"				/* CFA *(rbp - 8), rbp at *(rbp + 16) */
	"	.cfi_escape 0x0f, 0x03, 0x76, 0x78, 0x06\n"
	"	.cfi_escape 0x10, 0x06, 0x02, 0x76, 0x10\n"
	"	nop\n"
	"end aligned\n"
	"func odd\n"
	"	.cfi_def_cfa %rbx, 16\n"
	"	nop\n"
	"	.cfi_def_cfa %rsp, 8\n"
	"	.cfi_escape 0x10, 0x06, 0x02, 0x77, 0x00\n"	/* rbp at *rsp */
	"	nop\n"
	"	.cfi_restore %rbp\n"
	"	.cfi_register %rip, %rcx\n"
	"	nop\n"
	"end odd\n"
	"func gap; nop; end gap\n"
	"	.fill 16, 1, 0x90\n"
	"func adjacent; nop; end adjacent\n";

struct fixture {
	struct symbolizer *symbolizer;
	struct elf_module module;
	const struct rules *rules;
	size_t bytes;
};

static int set_up(void **state)
{
	assert_int_equal(make_folder(state), 0);
	write_file("code.s", assembly);
	run("gcc -nostdlib -shared code.s -o code.so");
	return 0;
}

static void map_rules(struct fixture *fixture)
{
	struct stat status;
	void *rules;

	assert_true(fixture->module.rules_fd >= 0);
	assert_int_equal(fstat(fixture->module.rules_fd, &status), 0);
	fixture->bytes = (size_t)status.st_size;
	rules = mmap(NULL, fixture->bytes, PROT_READ, MAP_SHARED, fixture->module.rules_fd, 0);
	assert_true(rules != MAP_FAILED);
	fixture->rules = rules;
	assert_true(rules_valid(rules, fixture->bytes));
}

static void open_module(struct fixture *fixture, const char *path)
{
	struct symbolizer_config config = {
		.names = names, .nr_names = sizeof(names) / sizeof(names[0]),
	};
	int fd;

	*fixture = (struct fixture){ 0 };
	assert_int_equal(symbolizer_start(&config, &fixture->symbolizer), 0);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(symbolizer_open_module(fixture->symbolizer, fd, path, &fixture->module),
			 0);
	close(fd);
}

static void open_code(struct fixture *fixture)
{
	open_module(fixture, in_folder("code.so"));
	map_rules(fixture);
}

static void close_module(struct fixture *fixture)
{
	if (fixture->rules)
		munmap((void *)fixture->rules, fixture->bytes);
	elf_module_release(&fixture->module);
	symbolizer_stop(fixture->symbolizer);
}

static uint64_t vaddr_of(const struct fixture *fixture, uint32_t name)
{
	for (size_t i = 0; i < fixture->module.nr_symbols; i++)
		if (fixture->module.symbols[i].name == name)
			return fixture->module.symbols[i].vaddr;
	fail_msg("no symbol %s", names[name]);
	return 0;
}

static uint32_t row_of(const struct rules *rules, uint64_t vaddr)
{
	uint32_t row = rules->nr_rows;

	while (row-- && rules->base_vaddr + rules_pcs(rules)[row] > vaddr)
		;
	assert_true(row < rules->nr_rows);
	return row;
}

static const struct rule *rule_at(const struct fixture *fixture, uint32_t name, uint64_t offset)
{
	const struct rules *rules = fixture->rules;
	uint32_t row = row_of(rules, vaddr_of(fixture, name) + offset);
	uint32_t index = rules_indexes(rules)[row] & RULES_INDEX;

	assert_true(index < rules->nr_rules);
	return &rules_table(rules)[index];
}

static void is_rule(const struct rule *rule, struct rule expected)
{
	assert_memory_equal(rule, &expected, sizeof(expected));
}

static void test_registers(void **state)
{
	const struct rule entry = { RULE_CFA, RULE_RSP, 0, 0, 8, 0, 0 };
	struct fixture fixture;

	open_code(&fixture);
	is_rule(rule_at(&fixture, LEAF, 0), entry);
	is_rule(rule_at(&fixture, FRAME, 0), entry);
	is_rule(rule_at(&fixture, FRAME, 1), (struct rule){ RULE_CFA, RULE_RSP, 1, 0, 16, 0, -16 });
	is_rule(rule_at(&fixture, FRAME, 4), (struct rule){ RULE_CFA, RULE_RBP, 1, 0, 16, 0, -16 });
	is_rule(rule_at(&fixture, FRAME, 5), entry);
	close_module(&fixture);
}

static void test_special_kinds(void **state)
{
	struct fixture fixture;

	open_code(&fixture);
	is_rule(rule_at(&fixture, DEREF, 0),
		(struct rule){ RULE_CFA_DEREF, RULE_RSP, 0, 0, 16, 8, 0 });
	is_rule(rule_at(&fixture, OUTERMOST, 0), (struct rule){ .kind = RULE_END });
	is_rule(rule_at(&fixture, SIGNAL, 0), (struct rule){ .kind = RULE_SIGNAL });
	is_rule(rule_at(&fixture, ALIGNED, 0),
		(struct rule){ RULE_CFA_DEREF, RULE_RBP, RULE_SAVED_AT_RBP, 0, -8, 0, 16 });
	for (uint64_t offset = 0; offset < 3; offset++)
		is_rule(rule_at(&fixture, ODD, offset), (struct rule){ .kind = RULE_COMPLEX });
	close_module(&fixture);
}

static void test_gap(void **state)
{
	struct fixture fixture;

	open_code(&fixture);
	assert_int_equal(rule_at(&fixture, GAP, 0)->kind, RULE_CFA);
	assert_int_equal(rule_at(&fixture, GAP, 1)->kind, RULE_NONE);
	assert_int_equal(rule_at(&fixture, GAP, 16)->kind, RULE_NONE);
	assert_int_equal(rule_at(&fixture, ADJACENT, 0)->kind, RULE_CFA);
	assert_int_equal(rule_at(&fixture, ADJACENT, 1)->kind, RULE_NONE);
	close_module(&fixture);
}

/* `plain` follows `leaf` at once and has the same rule, yet it keeps its row. */
static void test_function_flags(void **state)
{
	struct fixture fixture;

	open_code(&fixture);
	for (uint32_t name = 0; name < sizeof(names) / sizeof(names[0]); name++) {
		uint64_t vaddr = vaddr_of(&fixture, name);
		uint32_t row = row_of(fixture.rules, vaddr);

		assert_int_equal(fixture.rules->base_vaddr + rules_pcs(fixture.rules)[row], vaddr);
		assert_true(rules_indexes(fixture.rules)[row] & RULES_FUNCTION);
	}
	assert_false(rules_indexes(fixture.rules)[row_of(fixture.rules,
							 vaddr_of(&fixture, FRAME) + 1)] &
		     RULES_FUNCTION);
	close_module(&fixture);
}

static void test_form_of_libc(void **state)
{
	const uint32_t *pcs;
	size_t kinds[RULE_COMPLEX + 1] = { 0 };
	struct fixture fixture;

	open_module(&fixture, "/lib/x86_64-linux-gnu/libc.so.6");
	map_rules(&fixture);
	pcs = rules_pcs(fixture.rules);
	assert_true(fixture.rules->nr_rows > 1000);
	assert_true(fixture.bytes == rules_bytes(fixture.rules->nr_rows, fixture.rules->nr_rules));
	for (uint32_t i = 0; i < fixture.rules->nr_rows; i++) {
		uint32_t index = rules_indexes(fixture.rules)[i] & RULES_INDEX;

		assert_true(index < fixture.rules->nr_rules);
		assert_true(!i || pcs[i] > pcs[i - 1]);
		assert_true(rules_table(fixture.rules)[index].kind <= RULE_COMPLEX);
		kinds[rules_table(fixture.rules)[index].kind]++;
	}
	assert_true(kinds[RULE_SIGNAL] == 1 && kinds[RULE_END] >= 1 && kinds[RULE_PLT] >= 1);
	assert_true(kinds[RULE_COMPLEX] < fixture.rules->nr_rows / 1000);
	close_module(&fixture);
}

static void test_sealed(void **state)
{
	struct fixture fixture;

	open_code(&fixture);
	assert_int_equal(pwrite(fixture.module.rules_fd, "x", 1, 0), -1);
	assert_int_equal(ftruncate(fixture.module.rules_fd, 0), -1);
	close_module(&fixture);
}

static void test_none(void **state)
{
	struct fixture fixture;

	run("printf '.text\\n.globl leaf\\nleaf: ret\\n' > none.s && "
	    "gcc -nostdlib -shared none.s -o none.so");
	open_module(&fixture, in_folder("none.so"));
	assert_int_equal(fixture.module.rules_fd, -1);
	close_module(&fixture);
}

static void test_debug_frame(void **state)
{
	struct fixture fixture;

	run("(echo '.cfi_sections .debug_frame'; cat code.s) > debug.s && "
	    "gcc -nostdlib -shared debug.s -o debug.so");
	open_module(&fixture, in_folder("debug.so"));
	map_rules(&fixture);
	is_rule(rule_at(&fixture, FRAME, 4), (struct rule){ RULE_CFA, RULE_RBP, 1, 0, 16, 0, -16 });
	close_module(&fixture);
}

static void test_valid(void **state)
{
	struct rules rules = { .magic = RULES_MAGIC };

	assert_true(rules_valid(&rules, sizeof(rules)));
	assert_false(rules_valid(&rules, sizeof(rules) - 1));
	rules.nr_rows = 1;
	assert_false(rules_valid(&rules, sizeof(rules)));
	rules.nr_rows = UINT32_MAX;
	rules.nr_rules = UINT32_MAX;
	assert_false(rules_valid(&rules, SIZE_MAX));
	rules = (struct rules){ .magic = 1 };
	assert_false(rules_valid(&rules, sizeof(rules)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_registers),
		cmocka_unit_test(test_special_kinds),
		cmocka_unit_test(test_gap),
		cmocka_unit_test(test_function_flags),
		cmocka_unit_test(test_form_of_libc),
		cmocka_unit_test(test_sealed),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_debug_frame),
		cmocka_unit_test(test_valid),
	};

	return cmocka_run_group_tests(tests, set_up, remove_folder);
}
