/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stacks of random words: nothing beyond them is read, and what the agent makes of them is what
 * the tracer's walker does.
 */
#include <errno.h>

#include "agent_stacks.h"

/* agent_after() on a made-up stack; the page behind it must not be touched. */
static void after_at(taddr_t *sp, uint64_t fp)
{
	const struct agent_function function = { .index = 1, .call = AGENT_CALL_ALLOC };
	struct agent_registers *regs = (void *)((char *)sp -
					offsetof(struct agent_registers, return_address));

	agent_after(regs, &function, fp, DEAD_BLOCK);
}

static taddr_t garbage_word(const taddr_t *stack, size_t words)
{
	const struct unwind_range *range =
		&fixture.map.items[next_random((uint32_t)fixture.map.nr)];

	switch (next_random(8)) {
	case 0:
		return random_state;
	case 1:
		return 0;
	case 2:
	case 3:
		return (uintptr_t)(stack + next_random((uint32_t)words));
	case 4:
		return (uintptr_t)(stack + next_random((uint32_t)words)) + next_random(64);
	case 5:
		return (uintptr_t)real + next_random(4000);
	default:
		/* The agent's own frames are in no stack, as other tests show. */
		if (range->module == AGENT_MODULE)
			return 1;
		return range->start + next_random((uint32_t)(range->end - range->start));
	}
}

/* The trampoline of libc, by which random walks get to signal frames. */
static taddr_t trampoline;

static void note_trampoline(int signal)
{
	trampoline = (uintptr_t)__builtin_return_address(0);
}

static void check_garbage(taddr_t *low, taddr_t *high, uint32_t rounds)
{
	size_t words = (size_t)(high - low);

	for (uint32_t i = 0; i < rounds; i++) {
		taddr_t *sp = low + 200 + next_random((uint32_t)words - 200);

		for (taddr_t *word = low; word < high; word++)
			if (i % 16 == 0 || !next_random(20))
				*word = next_random(30) ? garbage_word(low, words) : trampoline;
		after_at(sp, garbage_word(low, words));
		if (i % 3 == 0)		/* the same again, which the last stack must survive */
			after_at(sp, garbage_word(low, words));
		if (i % 50 == 0)
			drain();
	}
	drain();
}

static void garbage_on_a_stack(void **state)
{
	taddr_t *stack = mmap(NULL, 5 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			      -1, 0);
	struct agent_thread *thread;

	assert_true(stack != MAP_FAILED);
	signal(SIGUSR2, note_trampoline);
	raise(SIGUSR2);
	mprotect(stack, 4096, PROT_NONE);
	mprotect(stack + 4 * 512, 4096, PROT_NONE);
	stubs[MALLOC](1, 0, 0, 0);
	thread = own_thread();
	/* unknown: only the page of sp may be read */
	for (uint32_t i = 0; i < 3; i++)
		check_garbage(stack + 512, stack + 4 * 512, 3000);
	/* known: all of it */
	thread->low = (uintptr_t)(stack + 512);
	thread->high = (uintptr_t)(stack + 4 * 512);
	check_garbage(stack + 512, stack + 4 * 512, 20000);
	assert_int_equal(agent_state.shared->dropped, 0);
	munmap(stack, 5 * 4096);
}

/* What the agent may read, for the tracer's walker: a stack from sp on, and code. */
static taddr_t readable_low, readable_high;

static ssize_t read_as_agent(const struct memread *mem, taddr_t address, void *buffer, size_t bytes)
{
	bool is_stack = address >= readable_low && address + bytes <= readable_high &&
			address + bytes > address;

	if (!is_stack && bytes != STEP_SIGRETURN_BYTES)
		return -EFAULT;
	return fixture_read(mem, address, buffer, bytes);
}

/* A module of 16 functions of 256 bytes each, by whose rules random words make long walks. */
static uint8_t *made_up;

static const struct rule made_up_rules[16] = {
	{ .kind = RULE_CFA, .cfa_register = RULE_RSP, .cfa_offset = 16 },
	{ .kind = RULE_CFA, .cfa_register = RULE_RSP, .cfa_offset = 16 },
	{ .kind = RULE_CFA, .cfa_register = RULE_RSP, .cfa_offset = 32 },
	{ .kind = RULE_CFA, .cfa_register = RULE_RSP, .cfa_offset = 32, .rbp_saved = 1,
	  .rbp_offset = -16 },
	{ .kind = RULE_CFA, .cfa_register = RULE_RSP, .cfa_offset = 16, .rbp_saved = 1,
	  .rbp_offset = -16 },
	{ .kind = RULE_CFA, .cfa_register = RULE_RBP, .cfa_offset = 16, .rbp_saved = 1,
	  .rbp_offset = -16 },
	{ .kind = RULE_CFA, .cfa_register = RULE_RBP, .cfa_offset = 32 },
	{ .kind = RULE_CFA_DEREF, .cfa_register = RULE_RBP, .cfa_offset = -16, .deref_add = 16,
	  .rbp_saved = 1, .rbp_offset = -16 },
	{ .kind = RULE_CFA_DEREF, .cfa_register = RULE_RSP, .cfa_offset = 16, .deref_add = 16,
	  .rbp_saved = RULE_SAVED_AT_RBP, .rbp_offset = 8 },
	{ .kind = RULE_CFA, .cfa_register = RULE_RSP, .cfa_offset = 16, .rbp_saved = 1,
	  .rbp_offset = -48 },				/* below the frame */
	{ .kind = RULE_CFA, .cfa_register = RULE_RSP, .cfa_offset = 16, .rbp_saved = 1,
	  .rbp_offset = 48 },				/* beyond it */
	{ .kind = RULE_NONE },
	{ .kind = RULE_PLT, .cfa_offset = 11 },
	{ .kind = 200 },				/* none that there is */
	{ .kind = RULE_END },
	{ .kind = RULE_COMPLEX },
};

static void make_up_code(void)
{
	static uint64_t room[64];
	struct rules *rules = (struct rules *)room;
	struct unwind_range range = { .rules = rules, .module = 77 };

	assert_true(sizeof(room) >= rules_bytes(16, 16));
	made_up = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	rules->magic = RULES_MAGIC;
	rules->nr_rows = rules->nr_rules = 16;
	for (unsigned i = 0; i < 16; i++) {
		((uint32_t *)rules_pcs(rules))[i] = i * 256;
		((uint16_t *)rules_indexes(rules))[i] = (uint16_t)(RULES_FUNCTION | i);
	}
	memcpy((void *)rules_table(rules), made_up_rules, sizeof(made_up_rules));
	range.start = range.bias = (uintptr_t)made_up;
	range.end = range.start + 4096;
	assert_int_equal(unwind_map_add(&fixture.map, &range), 0);
	unwind_map_sort(&fixture.map);
	fixture_publish();
}

/* Mostly a return address in every other word, and between them pointers up the stack. */
static void make_up_word(taddr_t *stack, uint32_t at)
{
	uint32_t which = next_random(100);

	if (which < 2)
		stack[at] = garbage_word(stack, 1024);
	else if (which < 4)
		stack[at] = (uintptr_t)made_up + next_random(4095) + 1;
	else if (which < 5)
		stack[at] = trampoline;
	else if (at % 2)
		stack[at] = (uintptr_t)(stack + at + 2 + next_random(20) * 2);
	else
		stack[at] = (uintptr_t)made_up + next_random(14) * 256 + 1 + next_random(16);
}

static uint64_t nr_walked, nr_of_signals;

static void compare_at(taddr_t sp, taddr_t fp)
{
	const struct memread read = { .read = read_as_agent };
	const struct unwind_start start = { .sp = sp, .fp = fp };

	readable_low = sp;
	drain();
	after_at((taddr_t *)(uintptr_t)sp, fp);
	walk_from_call(&walker, &read, &start, agent_state.depth + 1, &reference);
	drain();
	assert_int_equal(nr_seen, 1);
	compare(seen[0].node);
	nr_walked += reference.nr;
	nr_of_signals += reference.first_signal < reference.nr;
}

/* Garbage makes more nodes than there is room for, after which stacks are cut. */
static void forget_tree(struct agent_thread *thread)
{
	struct agent_shared *shared = agent_state.shared;

	drain();
	thread->nr_frames = 0;
	memset(shared->nodes, 0, (AGENT_FIRST_NODE + shared->nr_nodes) * sizeof(shared->nodes[0]));
	memset(shared->places, 0, sizeof(shared->places));
	shared->nr_nodes = 0;
}

/* Last stacks and plain walks agree, whatever is in the memory and whatever changes there. */
static void garbage_is_the_walkers_garbage(void **state)
{
	static taddr_t stack[1024] __attribute__((aligned(4096)));
	const uint32_t rounds = 200000;
	struct agent_thread *thread;

	stubs[MALLOC](1, 0, 0, 0);
	thread = own_thread();
	thread->low = (uintptr_t)stack;
	thread->high = readable_high = (uintptr_t)(stack + 1024);
	signal(SIGUSR2, note_trampoline);
	raise(SIGUSR2);
	make_up_code();
	for (uint32_t i = 0; i < rounds; i++) {
		taddr_t *sp = stack + next_random(500) * 2;
		taddr_t fp = (uintptr_t)(sp + 1 + next_random(20) * 2);

		if (agent_state.shared->nr_nodes > AGENT_NODES / 2)
			forget_tree(thread);
		agent_state.depth = i % 3 ? 64 : 1 + i % 10;
		for (uint32_t word = 0; word < 1024; word++)
			if (i % 1000 == 0 || !next_random(400))
				make_up_word(stack, word);
		compare_at((uintptr_t)sp, fp);
		make_up_word(stack, next_random(1024));
		compare_at((uintptr_t)sp, fp);
		sp -= next_random(6);
		if (sp >= stack)
			compare_at((uintptr_t)sp, fp + next_random(2) * 16);
	}
	print_message("%.1f frames a walk, %" PRIu64 " across signals\n",
		      (double)nr_walked / rounds / 3, nr_of_signals);
	assert_true(nr_of_signals > 1000);
	forget_tree(thread);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(garbage_on_a_stack),
		TEST(garbage_is_the_walkers_garbage),
	};

	return cmocka_run_group_tests(tests, stacks_start, calls_stop);
}
