/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A handler may come at any instruction of ours.  So calls of detours, as the tracer places
 * them, are run step by step in a child: from each instruction of stub, agent and copy the
 * walker must find the frames of the call, by the rules that are published for targets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <signal.h>

#include <cmocka.h>

#include "../../tracer/probe/detour_rules.h"
#include "../../tracer/probe/zone_rules.h"
#include "../../tracer/unwind/walk.h"
#include "agent_fixture.h"

#define NOINLINE __attribute__((noinline, noclone))
#define BLOCK 0x7f1234560010ull
#define VISITS_MAX 4			/* walks from one instruction in one call */

static uint8_t *image;			/* the blob, run from a copy as in a target */
static struct agent_state *image_state;
static struct zones zones;
static struct walker walker;

/* ---- functions with beginnings of all kinds ---- */

uint64_t pushes(uint64_t, uint64_t, uint64_t, uint64_t);
uint64_t keeps_frame_pointer(uint64_t, uint64_t, uint64_t, uint64_t);
uint64_t takes_room(uint64_t, uint64_t, uint64_t, uint64_t);
uint64_t ends_at_once(uint64_t, uint64_t, uint64_t, uint64_t);
uint64_t has_no_data(uint64_t, uint64_t, uint64_t, uint64_t);
uint64_t gives_block(uint64_t *);

__asm__(".text\n"
	".macro begin name\n .globl \\name\n .type \\name, @function\n \\name:\n"
	".cfi_startproc\n .endm\n"
	"begin pushes\n"
	"push %r12\n .cfi_adjust_cfa_offset 8\n"
	"push %rbp\n .cfi_adjust_cfa_offset 8\n .cfi_rel_offset %rbp, 0\n"
	"push %rbx\n .cfi_adjust_cfa_offset 8\n"
	"mov $0x10, %ebp\n mov $0x7f1234560010, %rax\n"
	"pop %rbx\n .cfi_adjust_cfa_offset -8\n"
	"pop %rbp\n .cfi_adjust_cfa_offset -8\n .cfi_restore %rbp\n"
	"pop %r12\n .cfi_adjust_cfa_offset -8\n"
	"ret\n .cfi_endproc\n"
	"begin keeps_frame_pointer\n"
	"endbr64\n push %rbp\n .cfi_def_cfa_offset 16\n .cfi_offset %rbp, -16\n"
	"mov %rsp, %rbp\n .cfi_def_cfa_register %rbp\n"
	"sub $40, %rsp\n mov $0x7f1234560010, %rax\n"
	"leave\n .cfi_def_cfa %rsp, 8\n ret\n .cfi_endproc\n"
	"begin takes_room\n"
	"sub $24, %rsp\n .cfi_def_cfa_offset 32\n test %rdi, %rdi\n js 1f\n"
	"1: mov $0x7f1234560010, %rax\n add $24, %rsp\n .cfi_def_cfa_offset 8\n ret\n"
	".cfi_endproc\n"
	"begin ends_at_once\n"
	"mov $0x34560010, %eax\n ret\n .cfi_endproc\n"
	".type has_no_data, @function\n has_no_data:\n"
	"mov $0x34560010, %eax\n nop\n ret\n"
	"begin gives_block\n"
	"mov $0x7f1234560010, %rax\n mov %rax, (%rdi)\n xor %eax, %eax\n ret\n"
	".cfi_endproc\n");

enum { PUSHES, FRAME_POINTER, ROOM, ENDS, NO_DATA, FREES, FREES_NESTING, RESIZES, INTO, NR };

static const struct {
	const void *address;
	struct allocator_function kind;
	bool may_nest;
} made[NR] = {
	[PUSHES] = { (void *)pushes, { .call = CALL_ALLOC }, true },
	[FRAME_POINTER] = { (void *)keeps_frame_pointer, { .call = CALL_ALLOC_ARRAY,
			    .size_argument = 1 }, false },
	[ROOM] = { (void *)takes_room, { .call = CALL_ALLOC }, false },
	[ENDS] = { (void *)ends_at_once, { .call = CALL_ALLOC }, false },
	[NO_DATA] = { (void *)has_no_data, { .call = CALL_ALLOC }, false },
	[FREES] = { (void *)pushes, { .call = CALL_FREE }, false },
	[FREES_NESTING] = { (void *)takes_room, { .call = CALL_FREE }, true },
	[RESIZES] = { (void *)keeps_frame_pointer, { .call = CALL_RESIZE, .size_argument = 1 },
		      true },
	[INTO] = { (void *)gives_block, { .call = CALL_ALLOC_INTO, .size_argument = 2 }, false },
};

static fixture_function *stubs[2 * NR];	/* the same again, lean ones */
static struct detour detours[2 * NR];

/* ---- what the tracer does ---- */

static uint32_t own_module(void)
{
	return unwind_map_find(&fixture.map, (uintptr_t)pushes)->module;
}

static void place(unsigned number, const struct module *module, struct memory *memory)
{
	const unsigned i = number % NR;
	const struct implant implant = {
		.base = (uintptr_t)image, .leans = number >= NR && agent_state.has_fsbase,
	};
	const struct function function = {
		.kind = &made[i].kind, .module = module,
		.address = (uintptr_t)made[i].address, .may_nest = made[i].may_nest,
	};
	struct detour *detour = &detours[number];
	taddr_t slot = zones_take(&zones, module);

	assert_true(slot);
	detour->function = i;
	assert_int_equal(prologue_decode(made[i].address, PROLOGUE_BYTES_MAX, function.address,
					 UINT64_MAX, &detour->prologue), 0);
	assert_int_equal(detour_place(detour, &function, memory, slot, &implant), 0);
	assert_int_equal(detour_describe(detour, &function, zones_describe(&zones, slot)), 0);
	stubs[number] = (fixture_function *)(uintptr_t)detour->stub;
}

/* Within reach of this program. */
static void map_zone(const struct module *module)
{
	taddr_t at = (module->extent.start - (256 << 20)) & ~0xfffull;
	void *zone = mmap((void *)(uintptr_t)at, ZONE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	assert_int_equal((uintptr_t)zone, at);
	assert_int_equal(zones_add(&zones, at), 0);
}

static void map_image(void)
{
	const struct agent_header *header = (const struct agent_header *)agent_blob;

	image = mmap(NULL, AGENT_TEXT_BYTES + sizeof(struct agent_state),
		     PROT_READ | PROT_WRITE | PROT_EXEC,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_true(image != MAP_FAILED);
	memcpy(image, agent_blob, header->bytes);
	image_state = (struct agent_state *)(image + AGENT_TEXT_BYTES);
	memcpy(image_state, &agent_state, offsetof(struct agent_state, gaps));
	agent_state.enabled = 0;
}

static void once(void)
{
	stubs[PUSHES](10, 0, 0, 0);
	stubs[FREES](BLOCK, 0, 0, 0);
}

static void add_range(taddr_t start, taddr_t end, const void *rules)
{
	const struct unwind_range range = {
		.start = start, .end = end, .bias = start, .rules = rules,
		.module = AGENT_MODULE,
	};

	/* Instead of what /proc says of it. */
	for (size_t i = 0; i < fixture.map.nr; i++)
		if (fixture.map.items[i].start < end && start < fixture.map.items[i].end)
			fixture.map.items[i--] = fixture.map.items[--fixture.map.nr];
	assert_int_equal(unwind_map_add(&fixture.map, &range), 0);
	unwind_map_sort(&fixture.map);
}

static int prepare(void **state)
{
	struct file file = { .known = true };
	struct module module = { .path = (char *)"self", .file = &file };
	struct memory memory;
	size_t bytes;

	module.id = own_module();
	file.rules = fixture.modules[module.id - 1].rules;
	module.bias = unwind_map_find(&fixture.map, (uintptr_t)pushes)->bias;
	module.extent.start = unwind_map_find(&fixture.map, (uintptr_t)pushes)->start;
	module.extent.end = unwind_map_find(&fixture.map, (uintptr_t)pushes)->end;
	assert_int_equal(memory_open(&memory, getpid()), 0);
	map_zone(&module);
	map_image();
	for (unsigned i = 0; i < 2 * NR; i++)
		place(i, &module, &memory);
	memory_close(&memory);
	add_range((uintptr_t)image, (uintptr_t)image + AGENT_TEXT_BYTES, agent_rules);
	zones.items[0].rules = zone_rules_build(&zones.items[0], &bytes);
	assert_true(rules_valid(zones.items[0].rules, bytes));
	add_range(zones.items[0].start, zones.items[0].end, zones.items[0].rules);
	fixture_publish();
	/* The first look at a map takes long; only one test is about that. */
	once();
	return 0;
}

/* ---- one call, step by step ---- */

static struct call {
	pid_t child;
	struct memread read;
	taddr_t sp, back;		/* where its return address lies, and that */
	bool no_data;			/* of the real function */
	uint64_t nr_steps, nr_walks;
	uint8_t visits[AGENT_TEXT_BYTES + ZONE_BYTES];
} call;

static uint8_t seen[AGENT_TEXT_BYTES + ZONE_BYTES];	/* instructions, in any call */

static ssize_t read_child(const struct memread *mem, taddr_t address, void *buffer, size_t bytes)
{
	struct iovec here = { buffer, bytes }, there = { (void *)(uintptr_t)address, bytes };

	return process_vm_readv(call.child, &here, 1, &there, 1, 0);
}

/* Place in visits of code of ours; -1: it is not. */
static long place_of(taddr_t pc)
{
	if (pc - (uintptr_t)image < AGENT_TEXT_BYTES)
		return (long)(pc - (uintptr_t)image);
	if (pc - zones.items[0].start < ZONE_BYTES)
		return AGENT_TEXT_BYTES + (long)(pc - zones.items[0].start);
	return -1;
}

static void compare(const struct walk *walk, const struct walk *reference, taddr_t pc)
{
	uint32_t inner = 1;		/* where it stands */

	while (inner < walk->nr && walk->slots[inner] < call.sp)
		inner++;
	if (walk->nr - inner != reference->nr ||
	    memcmp(walk->frames + inner, reference->frames, reference->nr * sizeof(code_t)))
		print_message("at place %#lx, %u + %u frames\n", place_of(pc), inner,
			      walk->nr - inner);
	assert_int_equal(walk->nr - inner, reference->nr);
	assert_memory_equal(walk->frames + inner, reference->frames,
			    reference->nr * sizeof(code_t));
	assert_int_equal(walk->end, reference->end);
}

static bool is_walked(taddr_t pc)
{
	long at = place_of(pc);

	/* What such a function does behind its first instruction nobody knows. */
	for (unsigned i = NO_DATA; call.no_data && i < 2 * NR; i += NR)
		if (pc > detours[i].copy && pc < detours[i].end)
			return false;
	if (at < 0)
		return false;
	seen[at] = 1;
	return call.visits[at]++ < VISITS_MAX;
}

static void walk_from(const struct user_regs_struct *regs, const struct walk *reference)
{
	static struct walk walk;
	const struct unwind_start start = { .pc = regs->rip, .sp = regs->rsp, .fp = regs->rbp };

	if (!is_walked(regs->rip))
		return;
	walk_from_stop(&walker, &call.read, &start, WALK_DEPTH_MAX, &walk);
	compare(&walk, reference, regs->rip);
	call.nr_walks++;
}

static bool step(struct user_regs_struct *regs)
{
	int status;

	assert_int_equal(ptrace(PTRACE_SINGLESTEP, call.child, 0, 0), 0);
	assert_int_equal(waitpid(call.child, &status, 0), call.child);
	call.nr_steps++;
	return WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP &&
	       !ptrace(PTRACE_GETREGS, call.child, 0, regs);
}

static void step_through(fixture_function *stub)
{
	static struct walk reference;
	struct user_regs_struct regs = { 0 };
	struct unwind_start start;

	while (regs.rip != (uintptr_t)stub)
		assert_true(step(&regs));
	call.sp = regs.rsp;
	start = (struct unwind_start){ .sp = regs.rsp, .fp = regs.rbp };
	assert_int_equal(read_child(NULL, regs.rsp, &call.back, 8), 8);
	walk_from_call(&walker, &call.read, &start, WALK_DEPTH_MAX, &reference);
	assert_true(reference.nr > 4);
	while (regs.rip != call.back || regs.rsp != call.sp + 8) {
		walk_from(&regs, &reference);
		assert_true(step(&regs));
	}
}

/* rbp is a register like any other. */
NOINLINE static uint64_t call_it(unsigned function, uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t value;

	raise(SIGSTOP);
	value = stubs[function](a, b, c, 0);
	__asm__ volatile("" ::: "memory");
	return value;
}

static void run_child(unsigned function, void (*first)(void), uint64_t a)
{
	uint64_t block = 0;

	ptrace(PTRACE_TRACEME, 0, 0, 0);
	if (first)
		first();
	call_it(function, function % NR == INTO ? (uintptr_t)&block : a, 30, 30);
	_exit(0);
}

static void check_call(unsigned function, void (*first)(void), uint64_t a)
{
	int status;

	memset(&call, 0, sizeof(call));
	call.read.read = read_child;
	call.no_data = function % NR == NO_DATA;
	call.child = fork();
	if (!call.child)
		run_child(function, first, a);
	assert_int_equal(waitpid(call.child, &status, 0), call.child);
	assert_true(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	step_through(stubs[function]);
	assert_true(call.nr_walks > 5);
	ptrace(PTRACE_CONT, call.child, 0, 0);
	assert_int_equal(waitpid(call.child, &status, 0), call.child);
	assert_true(WIFEXITED(status) && !WEXITSTATUS(status));
}

static void note(const char *what)
{
	size_t nr = 0;

	for (size_t i = 0; i < sizeof(seen); i++)
		nr += seen[i];
	print_message("%s: %zu instructions of ours seen so far\n", what, nr);
}

/* ---- tests ---- */

static void forget_threads(void)
{
	for (unsigned i = 0; i < AGENT_THREADS; i++)
		image_state->threads[i].key = 0;
}

static void a_call_of_each_kind(void **state)
{
	for (unsigned i = 0; i < NR; i++) {
		check_call(i, NULL, i >= FREES ? BLOCK : 10);
		check_call(i, forget_threads, i >= FREES ? BLOCK : 10);
	}
	note(__func__);
}

static void sample(void)
{
	image_state->sample_bytes = 1;
}

static void sample_little(void)
{
	image_state->sample_bytes = 1;
	for (unsigned i = 0; i < AGENT_THREADS; i++)
		image_state->threads[i].sample_left = INT64_MAX;
}

static void sample_little_within_calls(void)
{
	sample_little();
	for (unsigned i = 0; i < AGENT_THREADS; i++)
		image_state->threads[i].nr_calls = AGENT_CALLS;
}

static void sampled_calls(void **state)
{
	for (unsigned i = 0; i < 2 * NR; i++) {
		check_call(i, sample, i % NR >= FREES ? BLOCK : 10);
		check_call(i, sample_little, i % NR >= FREES ? BLOCK : 10);
		check_call(i, sample_little_within_calls, i % NR >= FREES ? BLOCK : 10);
	}
	note(__func__);
}

static void leave_calls(void)
{
	struct agent_thread *thread = image_state->threads;

	for (; !thread->key; thread++)
		;
	thread->nr_calls = 1;
	thread->calls[0] = (struct agent_call){ .sp = (uintptr_t)&thread - 4096 };
	thread->level = 1;
	thread->level_sp = (uintptr_t)&thread - 4096;
}

static void calls_left_before(void **state)
{
	check_call(PUSHES, leave_calls, 10);
	check_call(RESIZES, leave_calls, BLOCK);
	note(__func__);
}

static void with_a_new_map(void **state)
{
	fixture_publish();
	check_call(PUSHES, NULL, 10);
	once();
	note(__func__);
}

/* Private to the child, as its image is. */
static void fill_ring(void)
{
	struct agent_shared *shared = mmap(NULL, AGENT_RULES_OFFSET, PROT_READ | PROT_WRITE,
					   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (shared == MAP_FAILED)
		_exit(1);
	shared->now_ns = 1;
	shared->map = image_state->shared->map;
	for (unsigned i = 0; i < AGENT_RINGS; i++)
		shared->rings[i].claimed = AGENT_RING_RECORDS;
	image_state->shared = shared;
	image_state->wait_cycles = 100;
}

static void without_room(void **state)
{
	check_call(PUSHES, fill_ring, 10);
	check_call(FREES, fill_ring, BLOCK);
	note(__func__);
}

/* The same contents give the same rules, wherever the zone is. */
static void rules_of_equal_zones(void **state)
{
	static struct zone other;
	size_t bytes, other_bytes;
	struct rules *rules = zone_rules_build(&zones.items[0], &bytes), *others;

	other = zones.items[0];
	other.start += 1 << 20;
	other.end += 1 << 20;
	others = zone_rules_build(&other, &other_bytes);
	assert_int_equal(bytes, other_bytes);
	assert_memory_equal(rules, others, bytes);
	for (uint32_t i = 1; i < rules->nr_rows; i++)
		assert_true(rules_pcs(rules)[i - 1] < rules_pcs(rules)[i]);
	free(rules);
	free(others);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_of_equal_zones),
		cmocka_unit_test(a_call_of_each_kind),
		cmocka_unit_test(sampled_calls),
		cmocka_unit_test(calls_left_before),
		cmocka_unit_test(with_a_new_map),
		cmocka_unit_test(without_room),
	};
	int failed;

	fixture_start();
	walker_init(&walker, &fixture.map);
	failed = cmocka_run_group_tests(tests, prepare, NULL);
	fixture_stop();
	free((void *)(uintptr_t)zones.items[0].rules);
	zones_deinit(&zones);
	return failed;
}
