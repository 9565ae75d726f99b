/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every stack that the agent records is what the tracer would have recorded. */
#include <pthread.h>

#include "../../tracer/agent/tree.h"
#include "agent_stacks.h"

static uint64_t nr_compared;

static void walk_reference(taddr_t sp, taddr_t fp)
{
	const struct unwind_start start = { .sp = sp, .fp = fp };

	walk_from_call(&walker, &fixture.read, &start, agent_state.depth + 1, &reference);
}

/* In place of agent_after(): what it records is what the tracer would have. */
static void after_and_compare(const struct agent_registers *regs,
			      const struct agent_function *function, uint64_t fp, uint64_t value)
{
	uint32_t was = nr_seen;

	agent_after(regs, function, fp, value);
	walk_reference((uintptr_t)&regs->return_address, fp);
	drain();
	assert_int_equal(nr_seen, 1);
	compare(seen[0].node);
	nr_compared++;
	nr_seen = was;
}

static fixture_function *compared_malloc(void)
{
	static fixture_function *stub;
	uint8_t *end;
	struct agent_literals *literals;

	if (stub)
		return stub;
	stub = fixture_stub(&kinds[MALLOC], MALLOC, real);
	end = (uint8_t *)(uintptr_t)stub + (agent_call_end - agent_call);
	literals = (struct agent_literals *)(void *)(end - sizeof(*literals));
	literals->after = (taddr_t)(uintptr_t)after_and_compare;
	return stub;
}

static fixture_function *shape_malloc;
static void shape(uint32_t depth);

#define KEEP __asm__ volatile("" ::: "memory")

NOINLINE static void shape_plain(uint32_t depth)
{
	shape(depth);
	KEEP;
}

NOINLINE static void shape_two_lines(uint32_t depth)
{
	if (next_random(2))
		shape(depth);
	else
		shape(depth);
	KEEP;
}

NOINLINE static void shape_alloca(uint32_t depth)
{
	volatile char *room = __builtin_alloca(16 + next_random(300));

	room[0] = 1;
	shape(depth);
	KEEP;
}

NOINLINE static void shape_large(uint32_t depth)
{
	char room[3000];

	__asm__ volatile("" : : "r"(room) : "memory");
	shape(depth);
	KEEP;
}

NOINLINE __attribute__((optimize("no-omit-frame-pointer"))) static void shape_fp(uint32_t depth)
{
	shape(depth);
	KEEP;
}

/* A stack aligned anew: where the caller's is stands in a word of it. */
NOINLINE static void shape_aligned(uint32_t depth)
{
	char room[64] __attribute__((aligned(64)));

	__asm__ volatile("" : : "r"(room) : "memory");
	shape(depth);
	KEEP;
}

/* rbp is a register like any other. */
void shape_rbp(uint32_t depth, void (*inner)(uint32_t), uint64_t rbp);

__asm__(".text\n"
	".type shape_rbp, @function\n"
	"shape_rbp:\n"
	".cfi_startproc\n"
	"push %rbp\n"
	".cfi_def_cfa_offset 16\n"
	".cfi_offset %rbp, -16\n"
	"mov %rdx, %rbp\n"
	"sub $16, %rsp\n"
	".cfi_def_cfa_offset 32\n"
	"call *%rsi\n"
	"add $16, %rsp\n"
	".cfi_def_cfa_offset 16\n"
	"pop %rbp\n"
	".cfi_def_cfa_offset 8\n"
	"ret\n"
	".cfi_endproc\n"
	".size shape_rbp, . - shape_rbp\n"
	/* No unwind data at all, but a frame pointer. */
	".type shape_bare, @function\n"
	"shape_bare:\n"
	"push %rbp\n"
	"mov %rsp, %rbp\n"
	"call *%rsi\n"
	"pop %rbp\n"
	"ret\n"
	".size shape_bare, . - shape_bare\n");
void shape_bare(uint32_t depth, void (*inner)(uint32_t));

static int compare_ints(const void *a, const void *b)
{
	static uint32_t depth;

	if (a == b)
		depth = *(const uint32_t *)a;
	else if (depth) {
		uint32_t down = depth;

		depth = 0;
		shape(down);
	}
	return 0;
}

/* Through libc. */
NOINLINE static void shape_qsort(uint32_t depth)
{
	int items[2] = { 1, 2 };

	compare_ints(&depth, &depth);
	qsort(items, 2, sizeof(items[0]), compare_ints);
	KEEP;
}

static void shape(uint32_t depth)
{
	if (!depth || !next_random(12)) {
		shape_malloc(1, 0, 0, 0);
		if (!depth)
			return;
	}
	switch (next_random(10)) {
	case 0: shape_two_lines(depth - 1); break;
	case 1: shape_alloca(depth - 1); break;
	case 2: shape_large(depth - 1); break;
	case 3: shape_fp(depth - 1); break;
	case 4: shape_aligned(depth - 1); break;
	case 5: shape_rbp(depth - 1, shape, next_random(UINT32_MAX)); break;
	case 6: shape_rbp(depth - 1, shape, (uintptr_t)&depth); break;
	case 7: shape_bare(depth - 1, shape); break;
	case 8: shape_qsort(depth - 1); break;
	default: shape_plain(depth - 1); break;
	}
	if (!next_random(6))
		shape_malloc(2, 0, 0, 0);
	KEEP;
}

static void stacks_are_those_of_the_walker(void **state)
{
	static const uint32_t depths[] = { 64, 1, 2, 3, 7, 16, 200 };

	shape_malloc = compared_malloc();
	nr_compared = 0;
	for (uint32_t i = 0; i < 6000; i++) {
		agent_state.depth = depths[i / 100 % 7];
		shape(next_random(i % 50 ? 30 : 90));
		if (i % 500 == 499)
			fixture_publish();
	}
	assert_true(nr_compared > 10000);
	assert_int_equal(agent_state.shared->unread, 0);
}

NOINLINE static void recurse(uint32_t depth, uint32_t every)
{
	if (depth % every == 0)
		shape_malloc(depth, 0, 0, 0);
	if (depth)
		recurse(depth - 1, every);
	if (depth % (every + 1) == 0)
		shape_malloc(depth, 0, 0, 0);
	KEEP;
}

/* Deeper than what is kept, and back. */
static void deep_recursion(void **state)
{
	shape_malloc = compared_malloc();
	for (uint32_t i = 0; i < 6; i++) {
		agent_state.depth = i % 2 ? 64 : 300;
		recurse(700, i % 3 + 1);
		recurse(2000, 40);
		recurse(511, 1);
		recurse(515, 515);
		recurse(10, 1);
	}
}

static void *shapes_in_thread(void *unused)
{
	pthread_attr_t attributes;
	size_t bytes;
	void *low;
	uint64_t key;

	__asm__("mov %%fs:0, %0" : "=r"(key));
	pthread_getattr_np(pthread_self(), &attributes);
	pthread_attr_getstack(&attributes, &low, &bytes);
	pthread_attr_destroy(&attributes);
	agent_state.shared->stacks[agent_thread_place(key, 3)] = (struct agent_stack){
		.key = key, .low = (uintptr_t)low, .high = (uintptr_t)low + bytes,
	};
	for (int i = 0; i < 300; i++)
		shape(next_random(30));
	return NULL;
}

static void on_the_stack_of_a_thread(void **state)
{
	pthread_t thread;

	shape_malloc = compared_malloc();
	nr_compared = 0;
	assert_int_equal(pthread_create(&thread, NULL, shapes_in_thread, NULL), 0);
	pthread_join(thread, NULL);
	assert_true(nr_compared > 300);
	assert_int_equal(agent_state.shared->unread, 0);
	memset(agent_state.shared->stacks, 0, sizeof(agent_state.shared->stacks));
}

static void shapes_in_handler(void)
{
	for (int i = 0; i < 20; i++)
		shape(next_random(20));
}

NOINLINE static void shape_and_raise(uint32_t depth)
{
	if (depth)
		shape_and_raise(depth - 1);
	else
		raise(SIGUSR1);
	KEEP;
}

static void stacks_of_handlers(void **state)
{
	static char stack[262144] __attribute__((aligned(4096)));
	const stack_t alternate = { .ss_sp = stack, .ss_size = sizeof(stack) };
	const stack_t none = { .ss_flags = SS_DISABLE };
	uint32_t nr_frames;

	shape_malloc = compared_malloc();
	install(shapes_in_handler, false);
	for (uint32_t i = 0; i < 30; i++)
		shape_and_raise(i);
	/* An alternate stack that nobody knows of: cut, and counted, at its page's end. */
	shape_malloc = stubs[MALLOC];
	sigaltstack(&alternate, NULL);
	install(shapes_in_handler, true);
	shape_and_raise(10);
	drain();
	assert_true(agent_state.shared->unread > 0);
	/* One page: from there it goes back to the thread's own. */
	install(call_malloc, true);
	for (nr_frames = 0; nr_frames < 30; nr_frames++) {
		shape_and_raise(nr_frames);
		assert_string_equal(kinds_seen(), "A");
	}
	sigaltstack(&none, NULL);
}

static void a_map_that_changes(void **state)
{
	struct unwind_range saved;
	uint32_t i;

	shape_malloc = compared_malloc();
	for (i = 0; i < fixture.map.nr; i++)
		if (fixture.map.items[i].start <= (uintptr_t)shape_plain &&
		    (uintptr_t)shape_plain < fixture.map.items[i].end)
			break;
	saved = fixture.map.items[i];
	for (uint32_t round = 0; round < 2000; round++) {
		fixture.map.items[i].module = 100 + round % 7;
		if (round % 11 == 5)
			fixture.map.items[i].rules = NULL;
		unwind_map_sort(&fixture.map);
		fixture_publish();
		shape_plain(round % 5);
		recurse(3, 1);
		fixture.map.items[i] = saved;
	}
	unwind_map_sort(&fixture.map);
	fixture_publish();
	shape_plain(3);
}

static void without_a_map(void **state)
{
	agent_state.shared->map = 0;
	stubs[MALLOC](1, 0, 0, 0);
	inside = call_many;
	stubs[OTHER](1, 0, 0, 0);
	fixture_publish();
	drain();
	assert_true(nr_seen >= 2);
	assert_int_equal(seen[0].node, AGENT_ROOT);
	stubs[MALLOC](1, 0, 0, 0);
	assert_string_equal(kinds_seen(), "A");
	assert_true(seen[0].node >= AGENT_FIRST_NODE);
}

static void a_full_tree(void **state)
{
	uint32_t nr = agent_state.shared->nr_nodes;

	shape_malloc = compared_malloc();
	shape_plain(3);
	agent_state.shared->nr_nodes = AGENT_NODES - AGENT_FIRST_NODE;
	/* What is there is still found; what is not ends cut. */
	stubs[MALLOC](1, 0, 0, 0);
	assert_string_equal(kinds_seen(), "A");
	assert_int_equal(seen[0].node, AGENT_ROOT_CUT);
	assert_int_equal(agent_state.shared->nr_nodes, AGENT_NODES - AGENT_FIRST_NODE);
	agent_state.shared->nr_nodes = nr + 1000;
	reset_threads();
	shape_plain(3);
}

/* The first nodes with many children each, which all want places near each other. */
static void a_wide_tree(void **state)
{
	uint32_t base = AGENT_FIRST_NODE + agent_state.shared->nr_nodes, nr_cut = 0;

	for (uint32_t i = 0; i < 20000; i++)
		assert_int_equal(agent_tree_add(AGENT_ROOT, code_make(9, 0x1000 + i)), base + i);
	for (uint32_t child = 0; child < 30; child++)
		for (uint32_t i = 0; i < 20000; i++)
			nr_cut += agent_tree_add(base + i, code_make(9, 0x1000 + child)) ==
				  AGENT_ROOT_CUT;
	assert_int_equal(nr_cut, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(stacks_are_those_of_the_walker),
		TEST(deep_recursion),
		TEST(on_the_stack_of_a_thread),
		TEST(stacks_of_handlers),
		TEST(a_map_that_changes),
		TEST(without_a_map),
		TEST(a_full_tree),
		TEST(a_wide_tree),
	};

	return cmocka_run_group_tests(tests, stacks_start, calls_stop);
}
