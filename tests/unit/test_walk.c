/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stacks made of words, code made of bytes and rules made by hand, walked.  Each function of the
 * made-up module is 256 bytes long and has one rule; F(n) is a return address in function n.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../tracer/unwind/walk.h"

#define BIAS 0x400000ULL
#define CODE_BYTES 0x1000
#define F(n) (BIAS + (n) * 0x100ULL + 0x40)
#define MODULE 7
#define JIT 0x900000ULL			/* executable, in no module */
#define STACK 0x7ffe00000000ULL
#define STACK_WORDS 512
#define OTHER_STACK 0x7f1200000000ULL	/* an alternate stack */

/* Functions, by the rule that holds in them. */
enum {
	RSP_8, RSP_32, RBP_16, RBP_SAVED, DEREF, PLT, SIGNAL, OUTERMOST, ODD, GAP, NEGATIVE, OTHER,
	NR_FUNCTIONS,
};

static const struct rule table[NR_FUNCTIONS] = {
	[RSP_8] = { .kind = RULE_CFA, .cfa_register = RULE_RSP, .cfa_offset = 8 },
	[RSP_32] = { .kind = RULE_CFA, .cfa_register = RULE_RSP, .cfa_offset = 32 },
	[RBP_16] = { .kind = RULE_CFA, .cfa_register = RULE_RBP, .cfa_offset = 16,
		     .rbp_saved = 1, .rbp_offset = -16 },
	[RBP_SAVED] = { .kind = RULE_CFA, .cfa_register = RULE_RSP, .cfa_offset = 24,
			.rbp_saved = 1, .rbp_offset = -24 },
	[DEREF] = { .kind = RULE_CFA_DEREF, .cfa_register = RULE_RBP, .cfa_offset = -8,
		    .deref_add = 16 },
	[PLT] = { .kind = RULE_PLT, .cfa_offset = 11 },
	[SIGNAL] = { .kind = RULE_SIGNAL },
	[OUTERMOST] = { .kind = RULE_END },
	[ODD] = { .kind = RULE_COMPLEX },
	[GAP] = { .kind = RULE_NONE },
	[NEGATIVE] = { .kind = RULE_CFA, .cfa_register = RULE_RSP, .cfa_offset = -8 },
	[OTHER] = { .kind = 200 },
};

static struct {
	struct memread read;
	taddr_t words[STACK_WORDS], other[STACK_WORDS];
	uint8_t code[CODE_BYTES];
} target;

static struct rules *rules;
static struct unwind_map map;
static struct walker *walker;
static struct walk *walk;

static bool copy_from(const void *items, size_t nr_bytes, taddr_t start, taddr_t address,
		      void *buffer, size_t bytes)
{
	if (address < start || address - start >= nr_bytes || bytes > nr_bytes - (address - start))
		return false;
	memcpy(buffer, (const char *)items + (address - start), bytes);
	return true;
}

static ssize_t read_target(const struct memread *mem, taddr_t address, void *buffer, size_t bytes)
{
	bool found = copy_from(target.words, sizeof(target.words), STACK, address, buffer, bytes) ||
		     copy_from(target.other, sizeof(target.other), OTHER_STACK, address, buffer,
			       bytes) ||
		     copy_from(target.code, CODE_BYTES, BIAS, address, buffer, bytes);

	return found ? (ssize_t)bytes : -EFAULT;
}

static void make_rules(void)
{
	rules = calloc(1, rules_bytes(NR_FUNCTIONS, NR_FUNCTIONS));
	rules->magic = RULES_MAGIC;
	rules->nr_rows = rules->nr_rules = NR_FUNCTIONS;
	for (unsigned i = 0; i < NR_FUNCTIONS; i++) {
		((uint32_t *)rules_pcs(rules))[i] = i * 0x100;
		((uint16_t *)rules_indexes(rules))[i] = (uint16_t)(RULES_FUNCTION | i);
	}
	memcpy((void *)rules_table(rules), table, sizeof(table));
}

static void make_map(uint32_t module)
{
	unwind_map_clear(&map);
	assert_int_equal(unwind_map_add(&map, &(struct unwind_range){
		.start = BIAS, .end = BIAS + CODE_BYTES, .bias = BIAS, .rules = rules,
		.module = module }), 0);
	assert_int_equal(unwind_map_add(&map, &(struct unwind_range){
		.start = JIT, .end = JIT + 0x1000 }), 0);
	unwind_map_sort(&map);
}

static int setup(void **state)
{
	memset(&target, 0, sizeof(target));
	target.read.read = read_target;
	make_rules();
	make_map(MODULE);
	walker = malloc(sizeof(*walker));
	walk = malloc(sizeof(*walk));
	walker_init(walker, &map);
	return 0;
}

static int teardown(void **state)
{
	free(walker);
	free(walk);
	free(rules);
	unwind_map_deinit(&map);
	return 0;
}

static taddr_t word(size_t i)
{
	return STACK + i * 8;
}

/* From a call whose return address is word 0 of the stack. */
static void take(taddr_t fp, uint32_t depth)
{
	const struct unwind_start start = { .pc = F(RSP_8), .sp = STACK, .fp = fp };

	memset(walk, 0xa5, sizeof(*walk));
	walk_from_call(walker, &target.read, &start, depth, walk);
	assert_true(walk->nr <= depth);
	assert_true(walk->first_signal <= walk->nr);
	assert_false(walk->complex);
}

static void check_frame(uint32_t i, taddr_t pc, taddr_t slot)
{
	assert_true(i < walk->nr);
	assert_int_equal(code_pc(walk->frames[i]), pc);
	assert_int_equal(code_module(walk->frames[i]), pc >= JIT ? 0 : MODULE);
	assert_int_equal(walk->slots[i], slot);
}

static void check_end(enum walk_end end, uint32_t nr)
{
	assert_int_equal(walk->end, end);
	assert_int_equal(walk->nr, nr);
}

static void by_stack_pointer(void **state)
{
	target.words[0] = F(RSP_8);		/* its caller is at the next word */
	target.words[1] = F(RSP_32);		/* three words of locals */
	target.words[5] = F(OUTERMOST);
	take(0, 64);
	check_end(WALK_OUTERMOST, 3);
	check_frame(0, F(RSP_8), word(0));
	check_frame(1, F(RSP_32), word(1));
	check_frame(2, F(OUTERMOST), word(5));
	assert_int_equal(walk->first_signal, 3);
}

static void by_frame_pointer_rule(void **state)
{
	target.words[0] = F(RBP_16);
	target.words[10] = word(20);		/* saved rbp of the next one */
	target.words[11] = F(RBP_16);
	target.words[20] = 0;
	target.words[21] = F(OUTERMOST);
	take(word(10), 64);
	check_end(WALK_OUTERMOST, 3);
	check_frame(1, F(RBP_16), word(11));
	check_frame(2, F(OUTERMOST), word(21));
}

static void saved_frame_pointer_serves_further_out(void **state)
{
	target.words[0] = F(RBP_SAVED);		/* pushed rbp and two words */
	target.words[1] = word(30);
	target.words[3] = F(RBP_16);
	target.words[31] = F(OUTERMOST);
	take(0xdead, 64);
	check_end(WALK_OUTERMOST, 3);
	check_frame(1, F(RBP_16), word(3));
	check_frame(2, F(OUTERMOST), word(31));
}

static void by_a_word_in_memory(void **state)
{
	target.words[0] = F(DEREF);
	target.words[9] = word(14);		/* CFA = *(rbp - 8) + 16 */
	target.words[15] = F(OUTERMOST);
	take(word(10), 64);
	check_end(WALK_OUTERMOST, 2);
	check_frame(1, F(OUTERMOST), word(15));
	/* where that word cannot be read */
	take(0x1000, 64);
	check_end(WALK_LOST, 1);
}

static void through_the_plt(void **state)
{
	/* A return address minus one decides which stub, the address itself how far it got. */
	for (unsigned offset = 1; offset < 16; offset++) {
		bool pushed = offset >= 11;

		target.words[0] = BIAS + PLT * 0x100 + 0x40 + offset;
		target.words[1] = pushed ? 0x1234 : F(OUTERMOST);
		target.words[2] = pushed ? F(OUTERMOST) : 0;
		take(0, 64);
		check_end(WALK_OUTERMOST, 2);
		check_frame(1, F(OUTERMOST), word(pushed ? 2 : 1));
	}
}

/* A signal frame whose struct ucontext lies at `context`. */
static void put_context(taddr_t *context, taddr_t pc, taddr_t sp, taddr_t fp)
{
	context[120 / 8] = fp;
	context[160 / 8] = sp;
	context[168 / 8] = pc;
}

static void through_a_signal_frame(void **state)
{
	target.words[0] = F(RSP_8);		/* the handler */
	target.words[1] = BIAS + SIGNAL * 0x100 + 0x40;
	put_context(&target.words[2], F(RBP_16), word(100), word(110));
	target.words[111] = F(OUTERMOST);
	take(0, 64);
	check_end(WALK_OUTERMOST, 4);
	check_frame(0, F(RSP_8), word(0));
	assert_int_equal(walk->slots[1], word(1));
	/* the interrupted frame has a stack pointer of its own and a pc that is no return
	 * address: it is named by the byte before the one after it */
	assert_int_equal(walk->slots[2], word(100));
	assert_int_equal(code_pc(walk->frames[2]), F(RBP_16) + 1);
	assert_int_equal(walk->first_signal, 2);
	check_frame(3, F(OUTERMOST), word(111));
}

static void interrupted_at_a_first_instruction(void **state)
{
	/* The byte before it belongs to another function with another rule. */
	target.words[0] = F(SIGNAL);
	put_context(&target.words[1], BIAS + RSP_32 * 0x100, word(100), 0);
	target.words[103] = F(OUTERMOST);
	take(0, 64);
	check_end(WALK_OUTERMOST, 3);
	check_frame(2, F(OUTERMOST), word(103));
	assert_int_equal(walk->first_signal, 1);
}

static void from_an_alternate_stack(void **state)
{
	/* sp goes down across the frame: the alternate stack lies above or below */
	const struct unwind_start start = { .sp = OTHER_STACK };

	for (int up = 0; up < 2; up++) {
		taddr_t *from = up ? target.other : target.words;
		taddr_t *to = up ? target.words : target.other;
		taddr_t to_start = up ? STACK : OTHER_STACK;
		struct unwind_start begin = { .sp = up ? start.sp : STACK };

		memset(target.words, 0, sizeof(target.words));
		memset(target.other, 0, sizeof(target.other));
		from[0] = F(SIGNAL);
		put_context(&from[1], F(RSP_8), to_start + 50 * 8, 0);
		to[50] = F(OUTERMOST);
		walk_from_call(walker, &target.read, &begin, 64, walk);
		check_end(WALK_OUTERMOST, 3);
		assert_int_equal(walk->first_signal, 1);
		assert_int_equal(walk->slots[1], to_start + 50 * 8);
		check_frame(2, F(OUTERMOST), to_start + 50 * 8);
	}
}

static void signal_frame_known_by_its_code(void **state)
{
	static const uint8_t restorer[] = { 0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05 };
	taddr_t trampoline = BIAS + GAP * 0x100;

	/* musl's: no unwind data, and the return address is its first byte */
	memcpy(target.code + GAP * 0x100, restorer, sizeof(restorer));
	assert_true(walk_is_sigreturn(&target.read, trampoline));
	assert_false(walk_is_sigreturn(&target.read, trampoline + 1));
	assert_false(walk_is_sigreturn(&target.read, 0x1000));
	target.words[0] = trampoline;
	put_context(&target.words[1], F(RSP_8), word(100), 0);
	target.words[100] = F(OUTERMOST);
	take(0, 64);
	check_end(WALK_OUTERMOST, 3);
	assert_int_equal(walk->first_signal, 1);
	check_frame(2, F(OUTERMOST), word(100));
}

static void ends(void **state)
{
	target.words[0] = F(RSP_8);
	take(0, 64);				/* a zero as return address */
	check_end(WALK_OUTERMOST, 1);
	target.words[1] = F(ODD);
	take(0, 64);
	check_end(WALK_COMPLEX, 2);
	target.words[1] = 0x5555;		/* not code */
	take(0, 64);
	check_end(WALK_LOST, 2);
	assert_int_equal(walk->frames[1], 0x5555);
	target.words[1] = F(OTHER);		/* a kind of rule that there is not */
	take(0, 64);
	check_end(WALK_LOST, 2);
	target.words[1] = F(OUTERMOST);
	take(0, 64);
	check_end(WALK_OUTERMOST, 2);
}

static void nothing_to_read(void **state)
{
	const struct unwind_start nowhere = { .sp = 0x1000 }, top = { .sp = UINT64_MAX - 7 },
				  odd = { .sp = STACK + 4 };

	walk_from_call(walker, &target.read, &nowhere, 64, walk);
	check_end(WALK_LOST, 0);
	walk_from_call(walker, &target.read, &top, 64, walk);
	check_end(WALK_LOST, 0);
	walk_from_call(walker, &target.read, &odd, 64, walk);
	check_end(WALK_LOST, 0);
	assert_true(walk->first_signal >= walk->nr);
}

static void gap_with_a_frame_pointer(void **state)
{
	target.words[0] = F(GAP);
	target.words[10] = word(20);
	target.words[11] = JIT + 0x10;		/* generated code has no rules either */
	target.words[20] = word(30);
	target.words[21] = F(RSP_8);
	target.words[22] = F(OUTERMOST);
	take(word(10), 64);
	check_end(WALK_OUTERMOST, 4);
	check_frame(1, JIT + 0x10, word(11));
	check_frame(2, F(RSP_8), word(21));
	check_frame(3, F(OUTERMOST), word(22));
}

static void gap_with_a_frame_pointer_not_to_be_believed(void **state)
{
	target.words[0] = F(GAP);
	target.words[10] = word(20);
	target.words[11] = 0x5555;		/* no code is there */
	take(word(10), 64);
	check_end(WALK_LOST, 1);
	target.words[11] = F(OUTERMOST);
	take(word(10) + 4, 64);			/* odd */
	check_end(WALK_LOST, 1);
	take(STACK - 8, 64);			/* below the stack pointer */
	check_end(WALK_LOST, 1);
	take(STACK + (2 << 20), 64);		/* too far */
	check_end(WALK_LOST, 1);
	take(word(STACK_WORDS - 1), 64);	/* its pair is cut by the end */
	check_end(WALK_LOST, 1);
	take(word(10), 64);
	check_end(WALK_OUTERMOST, 2);
	/* outside of all code a frame pointer is not tried */
	target.words[0] = 0x5555;
	take(word(10), 64);
	check_end(WALK_LOST, 1);
}

static void depth(void **state)
{
	for (size_t i = 0; i < STACK_WORDS; i++)
		target.words[i] = F(RSP_8);
	for (uint32_t wanted = 1; wanted < 100; wanted++) {
		take(0, wanted);
		check_end(WALK_DEPTH, wanted);
	}
	take(0, WALK_DEPTH_MAX);		/* the stack is shorter */
	check_end(WALK_LOST, STACK_WORDS);
	target.words[63] = 0;			/* exactly as deep as asked for */
	take(0, 63);
	check_end(WALK_OUTERMOST, 63);
	take(0, 62);
	check_end(WALK_DEPTH, 62);
}

static void hostile_stacks_end(void **state)
{
	/* CFA below the stack pointer; a deref that points back; a frame pointer to itself */
	target.words[0] = F(NEGATIVE);
	take(0, WALK_DEPTH_MAX);
	check_end(WALK_LOST, 1);
	target.words[0] = F(DEREF);
	target.words[9] = STACK - 16;
	take(word(10), WALK_DEPTH_MAX);
	check_end(WALK_LOST, 1);
	target.words[9] = UINT64_MAX - 15;	/* wraps */
	take(word(10), WALK_DEPTH_MAX);
	check_end(WALK_LOST, 1);
	target.words[0] = F(GAP);
	target.words[10] = word(10);
	target.words[11] = F(GAP);
	take(word(10), WALK_DEPTH_MAX);
	check_end(WALK_LOST, 2);
	/* A signal frame that leads to itself for ever: only the depth ends it. */
	target.words[0] = F(SIGNAL);
	put_context(&target.words[1], BIAS + SIGNAL * 0x100, word(1), 0);
	take(0, WALK_DEPTH_MAX);
	check_end(WALK_DEPTH, WALK_DEPTH_MAX);
	assert_int_equal(walk->first_signal, 1);
	/* The same with a stack in between. */
	put_context(&target.words[1], F(RSP_8), STACK, 0);
	take(0, WALK_DEPTH_MAX);
	check_end(WALK_DEPTH, WALK_DEPTH_MAX);
}

/* Stacks of whatever bytes: they end, within the depth, and touch nothing else. */
static void random_stacks_end(void **state)
{
	uint64_t random = 88172645463325252ULL;

	for (int round = 0; round < 500; round++) {
		for (size_t i = 0; i < STACK_WORDS; i++) {
			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			target.words[i] = random & 1 ? BIAS + random % CODE_BYTES
						     : word(random % STACK_WORDS);
		}
		take(word(random % STACK_WORDS), WALK_DEPTH_MAX);
		assert_in_range(walk->end, WALK_OUTERMOST, WALK_COMPLEX);
	}
}

static void a_new_map_makes_the_cache_stale(void **state)
{
	target.words[0] = F(RSP_8);
	target.words[1] = F(OUTERMOST);
	take(0, 64);
	check_end(WALK_OUTERMOST, 2);
	make_map(MODULE + 1);
	take(0, 64);
	assert_int_equal(code_module(walk->frames[0]), MODULE + 1);
	((struct rule *)rules_table(rules))[RSP_8].cfa_offset = 16;
	target.words[2] = F(ODD);
	take(0, 64);				/* no new generation: the cache is right to answer */
	check_end(WALK_OUTERMOST, 2);
	make_map(MODULE + 1);
	take(0, 64);
	check_end(WALK_COMPLEX, 2);
	unwind_map_clear(&map);
	take(0, 64);
	check_end(WALK_LOST, 1);
	assert_int_equal(code_module(walk->frames[0]), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(by_stack_pointer),
		TEST(by_frame_pointer_rule),
		TEST(saved_frame_pointer_serves_further_out),
		TEST(by_a_word_in_memory),
		TEST(through_the_plt),
		TEST(through_a_signal_frame),
		TEST(interrupted_at_a_first_instruction),
		TEST(from_an_alternate_stack),
		TEST(signal_frame_known_by_its_code),
		TEST(ends),
		TEST(nothing_to_read),
		TEST(gap_with_a_frame_pointer),
		TEST(gap_with_a_frame_pointer_not_to_be_believed),
		TEST(depth),
		TEST(hostile_stacks_end),
		TEST(random_stacks_end),
		TEST(a_new_map_makes_the_cache_stale),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
