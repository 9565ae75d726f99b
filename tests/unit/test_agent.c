/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What events mean, which calls count, and the wait of the loader. */
#include <errno.h>
#include <pthread.h>

#include "agent_calls.h"

static void each_kind_of_allocation(void **state)
{
	uint64_t block = 0;

	agent_state.shared->now_ns = 77;
	assert_int_equal(stubs[MALLOC](10, 0, 0, 0), DEAD_BLOCK);
	assert_int_equal(stubs[CALLOC](3, 5, 0, 0), DEAD_BLOCK);
	assert_int_equal(stubs[CALLOC](1ull << 60, 1 << 10, 0, 0), DEAD_BLOCK);
	result = 0xffffffff00000000;		/* an int of 0 */
	stubs[INTO]((uintptr_t)&block, 16, 33, 0);
	result = 0x7f1234560010;
	stubs[REALLOC](0, 7, 0, 0);
	stubs[REALLOCARRAY](0, 7, 3, 0);
	assert_string_equal(kinds_seen(), "AAAAAA");
	check_seen(0, AGENT_ALLOC, DEAD_BLOCK, 10);
	check_seen(1, AGENT_ALLOC, DEAD_BLOCK, 15);
	check_seen(2, AGENT_ALLOC, DEAD_BLOCK, (1ull << 48) - 1);
	check_seen(3, AGENT_ALLOC, DEAD_BLOCK, 33);
	check_seen(4, AGENT_ALLOC, DEAD_BLOCK, 7);
	check_seen(5, AGENT_ALLOC, DEAD_BLOCK, 21);
	for (uint32_t i = 0; i < nr_seen; i++) {
		assert_int_equal(seen[i].function, i < 2 ? i + 1 : i == 2 ? CALLOC : i);
		assert_int_equal(seen[i].thread, own_thread() - agent_state.threads);
		assert_int_equal(seen[i].time_ns, 77);
		assert_true(seen[i].node >= AGENT_FIRST_NODE);
	}
	assert_int_equal(own_thread()->nr_calls, 0);
	assert_int_equal(own_thread()->level, 0);
}

static void each_kind_of_failure(void **state)
{
	uint64_t block = 0;

	result = 0;
	stubs[MALLOC](10, 0, 0, 0);
	stubs[CALLOC](10, 10, 0, 0);
	stubs[REALLOC](0, 10, 0, 0);
	result = ENOMEM;
	stubs[INTO]((uintptr_t)&block, 16, 33, 0);
	assert_string_equal(kinds_seen(), "NNNN");
	for (uint32_t i = 0; i < nr_seen; i++)
		check_seen(i, AGENT_FAILED, 0, 0);
}

static void each_kind_of_free(void **state)
{
	stubs[FREE](0, 0, 0, 0);
	stubs[FREE_NESTS](0, 0, 0, 0);
	assert_string_equal(kinds_seen(), "");
	stubs[FREE](DEAD_BLOCK, 0, 0, 0);
	stubs[FREE_NESTS](DEAD_BLOCK, 0, 0, 0);
	assert_string_equal(kinds_seen(), "FF");
	check_seen(0, AGENT_FREE, DEAD_BLOCK, 0);
	assert_int_equal(seen[0].function, FREE);
	assert_int_equal(seen[1].function, FREE_NESTS);
	assert_int_equal(own_thread()->nr_calls, 0);
}

static void check_begun(void)
{
	assert_string_equal(kinds_seen(), "B");
	check_seen(0, AGENT_RESIZE_BEGIN, DEAD_BLOCK, 0);
}

static void each_end_of_a_resize(void **state)
{
	inside = check_begun;
	stubs[REALLOC](DEAD_BLOCK, 100, 0, 0);			/* in place */
	assert_string_equal(kinds_seen(), "DA");
	check_seen(0, AGENT_RESIZE_DONE, DEAD_BLOCK, 0);
	check_seen(1, AGENT_ALLOC, DEAD_BLOCK, 100);
	result = 0;
	inside = check_begun;
	stubs[REALLOCARRAY](DEAD_BLOCK, 100, 2, 0);		/* fails */
	assert_string_equal(kinds_seen(), "X");
	check_seen(0, AGENT_RESIZE_FAILED, DEAD_BLOCK, 0);
	inside = check_begun;
	stubs[REALLOC](DEAD_BLOCK, 0, 0, 0);			/* frees */
	assert_string_equal(kinds_seen(), "D");
	inside = check_begun;
	result = 0x7f0000000010;				/* another ring */
	stubs[REALLOC](DEAD_BLOCK, 8, 0, 0);
	assert_string_equal(kinds_seen(), "AD");
	check_seen(0, AGENT_ALLOC, 0x7f0000000010, 8);
}

static void addresses_that_do_not_fit(void **state)
{
	result = 1ull << 48;
	stubs[MALLOC](1, 0, 0, 0);
	stubs[FREE](UINT64_MAX, 0, 0, 0);
	assert_string_equal(kinds_seen(), "");
	assert_int_equal(agent_state.shared->dropped, 2);
}

static void passes_through(void **state)
{
	agent_state.enabled = 0;
	assert_int_equal(stubs[MALLOC](1, 0, 0, 0), DEAD_BLOCK);
	stubs[FREE](DEAD_BLOCK, 0, 0, 0);
	agent_state.enabled = 1;
	assert_string_equal(kinds_seen(), "");
	assert_int_equal(agent_state.shared->dropped, 0);
	agent_state.shared->stalled_ns = agent_state.shared->now_ns;
	assert_int_equal(stubs[MALLOC](1, 0, 0, 0), DEAD_BLOCK);
	stubs[FREE](DEAD_BLOCK, 0, 0, 0);
	stubs[FREE](0, 0, 0, 0);
	assert_string_equal(kinds_seen(), "");
	assert_int_equal(agent_state.shared->dropped, 2);
	agent_state.shared->now_ns++;
	stubs[FREE](DEAD_BLOCK, 0, 0, 0);
	assert_string_equal(kinds_seen(), "F");
}

static void disable(void)
{
	memset(&agent_state.enabled, 0, sizeof(agent_state.enabled));
}

static void forked_within_a_call(void **state)
{
	inside = disable;		/* as MADV_WIPEONFORK does to a child */
	assert_int_equal(stubs[MALLOC](1, 0, 0, 0), DEAD_BLOCK);
	assert_string_equal(kinds_seen(), "");
}

static void only_the_outermost_counts(void **state)
{
	for (int i = MALLOC; i < NR_STUBS; i++) {
		if (i == INTO || i == FREE)
			continue;
		inside = i % 2 ? call_many : call_other;
		stubs[i](DEAD_BLOCK, 8, 8, 0);
		assert_string_equal(kinds_seen(), i == FREE_NESTS ? "F" :
				    i == REALLOC || i == REALLOCARRAY ? "BDA" : "A");
		assert_int_equal(seen[0].function, i);
		assert_int_equal(nr_inside, 3);	/* call_many()'s, whoever calls it */
		assert_int_equal(nr_new_inside, i % 2 ? 2 : 3);
		assert_int_equal(own_thread()->nr_calls, 0);
	}
}

static void call_failing(void)
{
	result = 0;
	stubs[MALLOC](5, 0, 0, 0);
	stubs[REALLOC](DEAD_BLOCK, 5, 0, 0);
	stubs[REALLOC](DEAD_BLOCK, 0, 0, 0);
	result = DEAD_BLOCK;
}

/* The block of a realloc that fails is still there. */
static void what_fails_inside(void **state)
{
	inside = call_failing;
	stubs[OTHER](6, 0, 0, 0);
	assert_string_equal(kinds_seen(), "A");
	assert_int_equal(nr_inside, 2);
	assert_int_equal(nr_new_inside, 1);
}

static int depth_inside;

static void call_deeper(void)
{
	inside = --depth_inside > 0 ? call_deeper : NULL;
	stubs[OTHER](6, 0, 0, 0);
}

/* Deeper ones are not known, which is told. */
static void so_many_inside(void **state)
{
	for (int depth = 1; depth <= 20; depth++) {
		depth_inside = depth;
		inside = call_deeper;
		stubs[OTHER](6, 0, 0, 0);
		assert_string_equal(kinds_seen(), "A");
		assert_int_equal(nr_new_inside, depth);
		assert_int_equal(nr_blind, depth < AGENT_CALLS - 2 ? 0 : depth - (AGENT_CALLS - 3));
		assert_int_equal(own_thread()->nr_calls, 0);
	}
}

NOINLINE static taddr_t free_here(fixture_function *release, uint64_t block)
{
	release(block, 1, 0, 0);
	return (taddr_t)(uintptr_t)__builtin_return_address(0);
}

/* A return address in the function that calls. */
static void where_a_free_comes_from(void **state)
{
	static const struct fixture_kind own = { .call = AGENT_CALL_FREE, .is_jump = true, .is_own = true };
	fixture_function *own_free = fixture_stub(&own, 60, (void *)real);
	taddr_t start = (taddr_t)(uintptr_t)free_here;

	free_here(stubs[FREE], DEAD_BLOCK);
	free_here(stubs[FREE_NESTS], DEAD_BLOCK);
	free_here(stubs[REALLOC], DEAD_BLOCK);
	free_here(own_free, DEAD_BLOCK);
	assert_string_equal(kinds_seen(), "FFBDAF");
	for (int i = 0; i < 3; i++) {
		assert_in_range(seen[i].size, start, start + 100);
		assert_int_equal(seen[i].node, AGENT_ROOT);
	}
	assert_in_range(seen[5].size & ~AGENT_FROM_OWN, start, start + 100);
	assert_true(seen[5].size & AGENT_FROM_OWN);
	assert_in_range(seen[5].node, AGENT_FIRST_NODE, AGENT_NODES - 1);
	agent_state.free_stacks = 1;
	free_here(stubs[FREE], DEAD_BLOCK);
	agent_state.free_stacks = 0;
	assert_string_equal(kinds_seen(), "F");
	assert_int_equal(agent_state.shared->nodes[seen[0].node].frame & AGENT_ADDRESS_MASK, seen[0].size);
}

/* malloc that hands its call on: as reallocarray to realloc, or operator new to malloc. */
fixture_function *handed_to;
uint64_t hands_on(uint64_t a, uint64_t b, uint64_t c, uint64_t d);

__asm__(".text\n"
	".type hands_on, @function\n"
	"hands_on:\n"
	".cfi_startproc\n"
	"mov handed_to(%rip), %rax\n"
	"jmp *%rax\n"
	".cfi_endproc\n"
	".size hands_on, . - hands_on\n");

static void a_call_handed_on_by_a_jump(void **state)
{
	fixture_function *outer = fixture_stub(&kinds[OTHER], 50, (void *)hands_on);

	handed_to = stubs[MALLOC];
	assert_int_equal(outer(9, 0, 0, 0), DEAD_BLOCK);
	handed_to = stubs[OTHER];
	inside = call_many;
	outer(9, 0, 0, 0);
	assert_string_equal(kinds_seen(), "AA");
	check_seen(0, AGENT_ALLOC, DEAD_BLOCK, 9);
	assert_int_equal(seen[0].function, 50);
	handed_to = stubs[FREE_NESTS];
	outer(DEAD_BLOCK, 0, 0, 0);
	assert_string_equal(kinds_seen(), "A");
}

/* An allocator without unwind data: the walk is lost in it. */
static void nested_in_code_without_rules(void **state)
{
	uint8_t *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	/* sub $24,%rsp; mov $f,%rax; call *%rax; add $24,%rsp; ret */
	static const uint8_t bytes[] = { 0x48, 0x83, 0xec, 24, 0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0,
					 0xff, 0xd0, 0x48, 0x83, 0xc4, 24, 0xc3 };
	fixture_function *outer = fixture_stub(&kinds[OTHER], 51, code);
	uint64_t callee = (uintptr_t)call_many;

	memcpy(code, bytes, sizeof(bytes));
	memcpy(code + 6, &callee, sizeof(callee));
	outer(1, 0, 0, 0);
	assert_string_equal(kinds_seen(), "A");
	assert_int_equal(seen[0].function, 51);
	munmap(code, 4096);
}

static jmp_buf out;

static void leave(void)
{
	longjmp(out, 1);
}

static void leave_deeper(void)
{
	inside = leave;
	stubs[OTHER](1, 0, 0, 0);
}

NOINLINE static void enter_and_leave(int how)
{
	char room[256];

	__asm__ volatile("" : : "r"(room) : "memory");
	inside = how % 2 ? leave_deeper : leave;
	if (!setjmp(out))
		stubs[how / 2 ? OTHER : REALLOC](DEAD_BLOCK, 8, 0, 0);
}

static void calls_left_by_longjmp(void **state)
{
	for (int how = 0; how < 4; how++) {
		enter_and_leave(how);
		assert_string_equal(kinds_seen(), how / 2 ? "" : "B");
		assert_int_equal(own_thread()->nr_calls, 1 + how % 2);
		stubs[MALLOC](3, 0, 0, 0);
		assert_string_equal(kinds_seen(), "A");
		assert_int_equal(own_thread()->nr_calls, 0);
	}
	for (int i = 0; i < 100; i++)
		enter_and_leave(i % 4);
	stubs[FREE](DEAD_BLOCK, 0, 0, 0);
	assert_int_equal(own_thread()->nr_calls, 0);
}

/* Left for good, and what called it is gone, too: another call of the same depth. */
static void a_left_call_is_not_taken_for_an_outer_one(void **state)
{
	for (int i = 0; i < 8; i++) {
		enter_and_leave(2);
		drain();
		inside = call_many;
		stubs[OTHER](4, 0, 0, 0);
		assert_string_equal(kinds_seen(), "A");
		check_seen(0, AGENT_ALLOC, DEAD_BLOCK, 4);
	}
}

static volatile bool answers;

static void *answer(void *unused)
{
	struct agent_shared *shared = agent_state.shared;

	for (int i = 0; i < 40; i++) {
		usleep(500);
		shared->now_ns++;
	}
	if (answers)
		shared->loader_done = shared->loader_requests;
	return NULL;
}

static uint64_t load_cycles(bool with_answer)
{
	uint64_t start = __builtin_ia32_rdtsc();
	pthread_t thread;

	answers = with_answer;
	pthread_create(&thread, NULL, answer, NULL);
	assert_int_equal(agent_loader(NULL, NULL, 0), 0);
	start = __builtin_ia32_rdtsc() - start;
	pthread_join(thread, NULL);
	return start;
}

static void the_loader_waits(void **state)
{
	uint64_t wait = agent_state.wait_cycles, cycles;

	cycles = load_cycles(true);
	assert_int_equal(agent_state.shared->loader_requests, 1);
	assert_int_equal(agent_state.shared->loader_done, 1);
	agent_state.wait_cycles = cycles / 200;
	cycles = load_cycles(false);		/* the clock stands at last */
	assert_true(cycles > 1000 * agent_state.wait_cycles);
	assert_int_equal(agent_state.shared->loader_requests, 2);
	cycles = load_cycles(false);		/* nobody is there any more: no wait */
	assert_int_equal(agent_state.shared->loader_requests, 2);
	agent_state.shared->now_ns++;
	agent_state.wait_cycles = 10;
	cycles = load_cycles(false);		/* it moves, but too long */
	assert_int_equal(agent_state.shared->loader_requests, 3);
	agent_state.shared->now_ns++;
	agent_state.enabled = 0;
	agent_loader(NULL, NULL, 0);
	assert_int_equal(agent_state.shared->loader_requests, 3);
	agent_state.wait_cycles = wait;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_kind_of_allocation),
		TEST(each_kind_of_failure),
		TEST(each_kind_of_free),
		TEST(each_end_of_a_resize),
		TEST(addresses_that_do_not_fit),
		TEST(passes_through),
		TEST(forked_within_a_call),
		TEST(only_the_outermost_counts),
		TEST(a_call_handed_on_by_a_jump),
		TEST(what_fails_inside),
		TEST(so_many_inside),
		TEST(where_a_free_comes_from),
		TEST(nested_in_code_without_rules),
		TEST(calls_left_by_longjmp),
		TEST(a_left_call_is_not_taken_for_an_outer_one),
		TEST(the_loader_waits),
	};

	return cmocka_run_group_tests(tests, calls_start, calls_stop);
}
