/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Handlers that allocate, at any instruction of stub and agent, and that leave it for good. */
#include <time.h>

#include "../../tracer/base/clock.h"
#include "agent_calls.h"

static void raise_it(void)
{
	raise(SIGUSR1);
}

/* A call in which a handler allocates so much: it ends first, and nested calls do not count. */
static void check_interrupted(void (*body)(void), uint64_t of_handler)
{
	inside = body;
	stubs[OTHER](100, 0, 0, 0);
	assert_string_equal(kinds_seen(), "AA");
	check_seen(0, AGENT_ALLOC, DEAD_BLOCK, of_handler);
	check_seen(1, AGENT_ALLOC, DEAD_BLOCK, 100);
}

static void handlers_allocate(void **state)
{
	static char stack[65536] __attribute__((aligned(4096)));
	const stack_t alternate = { .ss_sp = stack, .ss_size = sizeof(stack) };
	const stack_t none = { .ss_flags = SS_DISABLE };

	for (int own = 0; own < 2; own++) {
		sigaltstack(&alternate, NULL);
		install(call_other, own);
		check_interrupted(raise_it, 6);
		assert_int_equal(own_thread()->nr_calls, 0);
		/* after the handler the outer call still hides what it makes */
		install(call_malloc, own);
		inside = raise_it;
		stubs[REALLOC](DEAD_BLOCK, 100, 0, 0);
		assert_string_equal(kinds_seen(), "BADA");
		sigaltstack(&none, NULL);
	}
}

static void raise_then_call(void)
{
	raise(SIGUSR1);
	stubs[MALLOC](1, 0, 0, 0);
}

static void nested_after_a_handler(void **state)
{
	install(call_malloc, false);
	check_interrupted(raise_then_call, 5);
}

/* Handlers at any instruction of stub and agent. */
static volatile uint64_t timer_calls;

static void count_in_handler(void)
{
	void (*saved)(void) = inside;

	inside = timer_calls % 4 ? NULL : call_many;
	timer_calls++;
	stubs[OTHER](1000, 0, 0, 0);
	inside = saved;
}

static void handlers_anywhere(void **state)
{
	const struct itimerspec soon = { { 0, 50000 }, { 0, 50000 } };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	uint64_t start = clock_ns(), own = 0, of_handler = 0, calls = 0;
	timer_t timer;

	timer_calls = 0;
	install(count_in_handler, false);
	assert_int_equal(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
	timer_settime(timer, 0, &soon, NULL);
	while (clock_ns() - start < 1500000000) {
		for (int i = 0; i < 200; i++) {
			stubs[MALLOC](1, 0, 0, 0);
			stubs[FREE](DEAD_BLOCK, 0, 0, 0);
		}
		calls += 400;
		drain();
		for (uint32_t i = 0; i < nr_seen; i++) {
			own += seen[i].function == MALLOC || seen[i].function == FREE;
			of_handler += seen[i].function == OTHER && seen[i].kind == AGENT_ALLOC;
		}
	}
	timer_delete(timer);
	drain();
	for (uint32_t i = 0; i < nr_seen; i++)
		of_handler += seen[i].function == OTHER && seen[i].kind == AGENT_ALLOC;
	assert_int_equal(own, calls);
	assert_int_equal(of_handler, timer_calls);
	assert_true(timer_calls > 100);
	assert_int_equal(own_thread()->nr_calls, 0);
	assert_int_equal(own_thread()->level, 0);
}

static sigjmp_buf handler_out;

static void leave_handler(void)
{
	siglongjmp(handler_out, 1);
}

static void a_hook_left_by_a_handler(void **state)
{
	const struct itimerspec soon = { { 0, 20000 }, { 0, 20000 } };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct agent_ring *ring = &agent_state.shared->rings[agent_ring_of(DEAD_BLOCK)];
	volatile unsigned left = 0, left_in_hook = 0;
	timer_t timer;

	install(leave_handler, false);
	if (sigsetjmp(handler_out, 1)) {
		left++;
		left_in_hook += own_thread()->level || own_thread()->nr_calls;
	}
	if (!left) {
		stubs[MALLOC](1, 0, 0, 0);	/* own_thread() is known from now on */
		assert_int_equal(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
		timer_settime(timer, 0, &soon, NULL);
	}
	/* A record that was left before it was committed is a hole: none is looked at. */
	while (left < 5000) {
		stubs[MALLOC](1, 0, 0, 0);
		ring->taken = ring->claimed;
	}
	timer_delete(timer);
	ring->taken = ring->claimed;
	stubs[MALLOC](1, 0, 0, 0);
	assert_string_equal(kinds_seen(), "A");
	assert_true(seen[0].node >= AGENT_FIRST_NODE);
	assert_int_equal(own_thread()->level, 0);
	assert_int_equal(own_thread()->nr_calls, 0);
	assert_true(left_in_hook > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(handlers_allocate),
		TEST(nested_after_a_handler),
		TEST(handlers_anywhere),
		TEST(a_hook_left_by_a_handler),
	};

	return cmocka_run_group_tests(tests, calls_start, calls_stop);
}
