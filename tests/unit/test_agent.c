/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent, run in this process: its stubs around functions of ours that do what the test at
 * hand wants an allocator to do.  Every stack that it records is compared with the tracer's
 * walk from the same registers.
 */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "../../tracer/agent/blob.h"
#include "../../tracer/base/clock.h"
#include "../../tracer/probe/allocators.h"
#include "../../tracer/unwind/walk.h"
#include "agent_fixture.h"

#define NOINLINE __attribute__((noinline, noclone))

_Static_assert((int)AGENT_CALL_ALLOC == CALL_ALLOC, "");
_Static_assert((int)AGENT_CALL_ALLOC_ARRAY == CALL_ALLOC_ARRAY, "");
_Static_assert((int)AGENT_CALL_ALLOC_INTO == CALL_ALLOC_INTO, "");
_Static_assert((int)AGENT_CALL_RESIZE == CALL_RESIZE, "");
_Static_assert((int)AGENT_CALL_RESIZE_ARRAY == CALL_RESIZE_ARRAY, "");
_Static_assert((int)AGENT_CALL_FREE == CALL_FREE, "");

#define DEAD_BLOCK 0x7f1234560010ull
#define MAX_SEEN 4096

struct seen {
	enum agent_kind kind;
	uint32_t function, thread, node;
	taddr_t address;
	uint64_t size, time_ns;
};

static struct seen seen[MAX_SEEN];
static uint32_t nr_seen;
static struct walker walker;

/* One pass over the rings: the events of each come in its order. */
static void drain(void)
{
	struct agent_shared *shared = agent_state.shared;

	nr_seen = 0;
	for (unsigned i = 0; i < AGENT_RINGS; i++) {
		struct agent_ring *ring = &shared->rings[i];

		for (; ring->taken < ring->claimed; ring->taken++) {
			const struct agent_record *record =
				&shared->records[i][ring->taken % AGENT_RING_RECORDS];

			assert_int_equal(record->lap_address >> 48, agent_lap(ring->taken));
			assert_true(nr_seen < MAX_SEEN);
			seen[nr_seen++] = (struct seen){
				.kind = record->kind_size >> 48 & 15,
				.function = (uint32_t)(record->kind_size >> 52),
				.thread = (uint32_t)(record->thread_stack >> 32),
				.node = (uint32_t)record->thread_stack,
				.address = record->lap_address & AGENT_ADDRESS_MASK,
				.size = record->kind_size & ((1ull << 48) - 1),
				.time_ns = record->time_ns,
			};
			if (seen[nr_seen - 1].address)
				assert_int_equal(agent_ring_of(seen[nr_seen - 1].address), i);
		}
	}
}

static void check_seen(uint32_t i, enum agent_kind kind, taddr_t address, uint64_t size)
{
	assert_true(i < nr_seen);
	assert_int_equal(seen[i].kind, kind);
	assert_int_equal(seen[i].address, address);
	if (kind == AGENT_ALLOC)
		assert_int_equal(seen[i].size, size);
}

/* Kinds of what was seen, as letters, in order. */
static const char *kinds_seen(void)
{
	static const char letters[] = "-AFBDXN";
	static char text[MAX_SEEN + 1];

	drain();
	for (uint32_t i = 0; i < nr_seen; i++)
		text[i] = letters[seen[i].kind];
	text[nr_seen] = 0;
	return text;
}

static struct agent_thread *own_thread(void)
{
	uint64_t key;

	__asm__("mov %%fs:0, %0" : "=r"(key));
	for (unsigned i = 0; i < AGENT_THREAD_PROBES; i++)
		if (agent_state.threads[agent_thread_place(key, i)].key == key)
			return &agent_state.threads[agent_thread_place(key, i)];
	return NULL;
}

/* ---- functions under the agent ---- */

static uint64_t result;			/* what the next call gives */
static void (*inside)(void);		/* done within the next call, once */

NOINLINE static uint64_t real(uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	void (*body)(void) = inside;
	uint64_t value = result;

	inside = NULL;
	if (body)
		body();
	return value;
}

NOINLINE static uint64_t real_into(uint64_t pointer, uint64_t b, uint64_t c, uint64_t d)
{
	*(uint64_t *)(uintptr_t)pointer = DEAD_BLOCK;
	return result;
}

enum { MALLOC = 1, CALLOC, INTO, REALLOC, REALLOCARRAY, FREE, FREE_NESTS, OTHER, NR_STUBS };

static fixture_function *stubs[NR_STUBS];

static const struct fixture_kind kinds[NR_STUBS] = {
	[MALLOC] = { .call = AGENT_CALL_ALLOC },
	[CALLOC] = { .call = AGENT_CALL_ALLOC_ARRAY, .size_argument = 1 },
	[INTO] = { .call = AGENT_CALL_ALLOC_INTO, .size_argument = 2 },
	[REALLOC] = { .call = AGENT_CALL_RESIZE, .size_argument = 1, .may_nest = 1 },
	[REALLOCARRAY] = { .call = AGENT_CALL_RESIZE_ARRAY, .size_argument = 2 },
	[FREE] = { .call = AGENT_CALL_FREE, .is_jump = true },
	[FREE_NESTS] = { .call = AGENT_CALL_FREE, .may_nest = 1 },
	[OTHER] = { .call = AGENT_CALL_ALLOC, .may_nest = 1 },
};

static void reset_threads(void)
{
	for (unsigned i = 0; i < AGENT_THREADS; i++)
		agent_state.threads[i].key = 0;
}

static int setup(void **state)
{
	agent_state.enabled = 1;
	agent_state.depth = 64;
	agent_state.sample_bytes = 0;
	agent_state.shared->stalled_ns = 0;
	agent_state.shared->dropped = 0;
	agent_state.shared->unread = 0;
	inside = NULL;
	result = DEAD_BLOCK;
	reset_threads();
	drain();
	return 0;
}

/* ---- what events mean ---- */

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

/* ---- nesting ---- */

static void call_malloc(void)
{
	stubs[MALLOC](5, 0, 0, 0);
}

static void call_many(void)
{
	stubs[MALLOC](5, 0, 0, 0);
	stubs[FREE](DEAD_BLOCK, 0, 0, 0);
	stubs[REALLOC](DEAD_BLOCK, 5, 0, 0);
	stubs[FREE_NESTS](DEAD_BLOCK, 0, 0, 0);
}

static void call_other(void)
{
	inside = call_many;
	stubs[OTHER](6, 0, 0, 0);
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
		assert_int_equal(own_thread()->nr_calls, 0);
	}
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
		assert_int_equal(own_thread()->nr_calls, 1);
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

/* ---- signals ---- */

static void (*in_handler)(void);

static void handle(int signal)
{
	in_handler();
}

static void install(void (*body)(void), bool own_stack)
{
	struct sigaction action = { .sa_handler = handle, .sa_flags = own_stack ? SA_ONSTACK : 0 };

	in_handler = body;
	sigaction(SIGUSR1, &action, NULL);
}

static void raise_it(void)
{
	raise(SIGUSR1);
}

static void handlers_allocate(void **state)
{
	static char stack[65536] __attribute__((aligned(4096)));
	const stack_t alternate = { .ss_sp = stack, .ss_size = sizeof(stack) };
	const stack_t none = { .ss_flags = SS_DISABLE };

	for (int own = 0; own < 2; own++) {
		sigaltstack(&alternate, NULL);
		install(call_other, own);
		inside = raise_it;
		stubs[OTHER](100, 0, 0, 0);
		/* the handler's, which ends first; the nested ones within it do not count */
		assert_string_equal(kinds_seen(), "AA");
		check_seen(0, AGENT_ALLOC, DEAD_BLOCK, 6);
		check_seen(1, AGENT_ALLOC, DEAD_BLOCK, 100);
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
	inside = raise_then_call;
	stubs[OTHER](100, 0, 0, 0);
	assert_string_equal(kinds_seen(), "AA");
	check_seen(0, AGENT_ALLOC, DEAD_BLOCK, 5);
	check_seen(1, AGENT_ALLOC, DEAD_BLOCK, 100);
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

/* ---- stacks ---- */

static struct walk reference;
static uint64_t nr_compared;

static uint32_t path_of(uint32_t node, code_t *frames, uint32_t room, bool *is_cut)
{
	uint32_t nr = 0;

	for (; node >= AGENT_FIRST_NODE; node = agent_state.shared->nodes[node].parent) {
		if (nr == room)
			break;
		frames[nr++] = agent_state.shared->nodes[node].frame;
	}
	*is_cut = node != AGENT_ROOT;
	return nr;
}

/* As the tracer cuts a stack. */
static void compare(uint32_t node)
{
	static code_t frames[WALK_DEPTH_MAX];
	uint32_t depth = agent_state.depth, wanted = reference.nr < depth ? reference.nr : depth;
	bool is_cut;
	uint32_t nr = path_of(node, frames, depth, &is_cut);

	if (nr != wanted || memcmp(frames, reference.frames, nr * sizeof(frames[0])))
		for (uint32_t i = 0; i < nr || i < wanted; i++)
			print_message("%u: %#" PRIx64 " %#" PRIx64 "\n", i, i < nr ? frames[i] : 0,
				      i < wanted ? reference.frames[i] : 0);
	assert_int_equal(nr, wanted);
	for (uint32_t i = 0; i < nr; i++)
		assert_int_equal(frames[i], reference.frames[i]);
	/* a signal frame that leads to where nobody knows what may be read */
	if (reference.nr <= depth && reference.end == WALK_LOST &&
	    reference.first_signal < reference.nr)
		return;
	assert_int_equal(is_cut, reference.nr > depth || reference.end == WALK_DEPTH);
}

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

static uint64_t random_state = 88172645463325252ull;

static uint32_t next_random(uint32_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 32) % below;
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

/* ---- rings ---- */

#define RING agent_ring_of(DEAD_BLOCK)

static void a_full_ring(void **state)
{
	struct agent_shared *shared = agent_state.shared;
	struct agent_ring *ring = &shared->rings[RING];
	uint64_t room = AGENT_RING_RECORDS - AGENT_RING_MARGIN, start;

	for (uint64_t i = 0; i < room; i++)
		stubs[FREE](DEAD_BLOCK, 0, 0, 0);
	assert_int_equal(ring->claimed - ring->taken, room);
	assert_int_equal(shared->dropped, 0);
	start = __builtin_ia32_rdtsc();
	stubs[FREE](DEAD_BLOCK, 0, 0, 0);
	assert_true(__builtin_ia32_rdtsc() - start >= agent_state.wait_cycles);
	assert_int_equal(shared->dropped, 1);
	assert_int_equal(shared->stalled_ns, shared->now_ns);
	start = __builtin_ia32_rdtsc();
	for (int i = 0; i < 100; i++)
		stubs[FREE](DEAD_BLOCK, 0, 0, 0);
	assert_true(__builtin_ia32_rdtsc() - start < agent_state.wait_cycles * 50);
	assert_int_equal(shared->dropped, 101);
	/* Other rings have room, but whoever waited in vain spares all. */
	shared->now_ns++;
	stubs[FREE](DEAD_BLOCK + (1 << 26), 0, 0, 0);
	assert_int_equal(shared->dropped, 101);
	ring->taken += 10;
	for (int i = 0; i < 11; i++)
		stubs[FREE](DEAD_BLOCK, 0, 0, 0);
	assert_int_equal(shared->dropped, 102);
	assert_int_equal(ring->claimed - ring->taken, room);
	shared->now_ns++;
	ring->taken = ring->claimed;
}

static void many_laps(void **state)
{
	struct agent_ring *ring = &agent_state.shared->rings[RING];

	ring->claimed = ring->taken = ring->taken_seen = 0xfffeull * AGENT_RING_RECORDS - 5;
	for (uint64_t i = 0; i < 10; i++)
		stubs[FREE](DEAD_BLOCK, 0, 0, 0);
	assert_string_equal(kinds_seen(), "FFFFFFFFFF");
}

static void *free_room(void *unused)
{
	struct agent_ring *ring = &agent_state.shared->rings[RING];

	usleep(300);
	__atomic_store_n(&ring->taken, ring->claimed, __ATOMIC_RELEASE);
	return NULL;
}

static void room_is_waited_for(void **state)
{
	struct agent_ring *ring = &agent_state.shared->rings[RING];
	uint64_t wait = agent_state.wait_cycles;
	pthread_t thread;

	agent_state.wait_cycles = 30000000000;
	ring->claimed += AGENT_RING_RECORDS - AGENT_RING_MARGIN;
	pthread_create(&thread, NULL, free_room, NULL);
	stubs[FREE](DEAD_BLOCK, 0, 0, 0);
	pthread_join(thread, NULL);
	agent_state.wait_cycles = wait;
	assert_int_equal(agent_state.shared->dropped, 0);
}

/* ---- threads ---- */

#define HAMMERS 6
#define ROUNDS 60000
#define BLOCKS 64

static volatile bool is_over;
static uint64_t consumed, out_of_order;
static uint8_t is_allocated[HAMMERS * BLOCKS];

static uint64_t real_identity(uint64_t size, uint64_t address, uint64_t c, uint64_t d)
{
	return address;
}

static fixture_function *hammer_malloc;

/* Blocks are handed round between the threads, each by its owner of the moment. */
static uint8_t owned[HAMMERS * BLOCKS];

static void *hammer(void *unused)
{
	uint64_t random = (uintptr_t)&random * 2654435761u | 1;

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t at, address;

		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		at = (random >> 20) % (HAMMERS * BLOCKS);
		address = 0x7f0000000000 + at * (1 << 22) + 16;
		if (__atomic_exchange_n(&owned[at], 1, __ATOMIC_ACQUIRE))
			continue;
		hammer_malloc(at, address, 0, 0);
		stubs[FREE](address, 0, 0, 0);
		__atomic_store_n(&owned[at], 0, __ATOMIC_RELEASE);
	}
	return NULL;
}

static void take_one(const struct agent_record *record)
{
	uint64_t at = ((record->lap_address & AGENT_ADDRESS_MASK) - 0x7f0000000000) >> 22;
	bool is_alloc = (record->kind_size >> 48 & 15) == AGENT_ALLOC;

	if (at >= HAMMERS * BLOCKS || is_allocated[at] == is_alloc) {
		out_of_order++;
		return;
	}
	is_allocated[at] = is_alloc;
	consumed++;
}

static void consume_ring(unsigned number)
{
	struct agent_ring *ring = &agent_state.shared->rings[number];
	uint64_t next = ring->taken;

	while (next < __atomic_load_n(&ring->claimed, __ATOMIC_ACQUIRE)) {
		const struct agent_record *record =
			&agent_state.shared->records[number][next % AGENT_RING_RECORDS];

		while (__atomic_load_n(&record->lap_address, __ATOMIC_ACQUIRE) >> 48 !=
		       agent_lap(next))
			sched_yield();
		take_one(record);
		__atomic_store_n(&ring->taken, ++next, __ATOMIC_RELEASE);
	}
}

static void *consume(void *unused)
{
	bool is_last;

	do {
		is_last = is_over;
		for (unsigned i = 0; i < AGENT_RINGS; i++)
			consume_ring(i);
		__atomic_fetch_add(&agent_state.shared->now_ns, 1, __ATOMIC_RELAXED);
		sched_yield();
	} while (!is_last);
	return NULL;
}

static void threads_and_a_consumer(void **state)
{
	pthread_t threads[HAMMERS], consumer;
	uint64_t claimed = 0, wait = agent_state.wait_cycles;

	agent_state.wait_cycles = 30000000000;
	hammer_malloc = fixture_stub(&kinds[MALLOC], MALLOC, real_identity);
	for (unsigned i = 0; i < AGENT_RINGS; i++)
		claimed -= agent_state.shared->rings[i].claimed;
	is_over = false;
	pthread_create(&consumer, NULL, consume, NULL);
	for (int i = 0; i < HAMMERS; i++)
		pthread_create(&threads[i], NULL, hammer, NULL);
	for (int i = 0; i < HAMMERS; i++)
		pthread_join(threads[i], NULL);
	is_over = true;
	pthread_join(consumer, NULL);
	for (unsigned i = 0; i < AGENT_RINGS; i++)
		claimed += agent_state.shared->rings[i].claimed;
	agent_state.wait_cycles = wait;
	assert_int_equal(out_of_order, 0);
	assert_int_equal(consumed, claimed);
	assert_true(consumed > HAMMERS * ROUNDS);
	assert_int_equal(agent_state.shared->dropped, 0);
	for (int i = 0; i < HAMMERS * BLOCKS; i++)
		assert_false(is_allocated[i]);
}

static void no_place_for_a_thread(void **state)
{
	for (unsigned i = 0; i < AGENT_THREADS; i++)
		agent_state.threads[i].key = 1;
	stubs[MALLOC](3, 0, 0, 0);
	inside = call_many;
	stubs[OTHER](4, 0, 0, 0);
	inside = call_many;
	stubs[REALLOC](DEAD_BLOCK, 4, 0, 0);
	stubs[FREE](DEAD_BLOCK, 0, 0, 0);
	assert_string_equal(kinds_seen(), "AABDAF");
	for (uint32_t i = 0; i < nr_seen; i++)
		assert_int_equal(seen[i].thread, AGENT_THREADS);
	assert_int_equal(seen[0].node, AGENT_ROOT_CUT);
}

static void free_the_place(void)
{
	own_thread()->key = 0;
}

static void a_place_freed_within_a_call(void **state)
{
	inside = free_the_place;
	stubs[REALLOC](DEAD_BLOCK, 4, 0, 0);
	assert_string_equal(kinds_seen(), "BDA");
	assert_int_equal(own_thread()->nr_calls, 0);
}

/* ---- garbage ---- */

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
		return (uintptr_t)shape_plain + next_random(4000);
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
	{ .kind = RULE_CFA_DEREF, .cfa_register = RULE_RSP, .cfa_offset = 16, .deref_add = 16 },
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
	agent_state.shared->nr_nodes = 0;	/* full of garbage */
	memset(agent_state.shared->places, 0, sizeof(agent_state.shared->places));
}

/* ---- sampling ---- */

static void set_gaps(int64_t mean)
{
	agent_state.sample_bytes = mean;
	for (unsigned i = 0; i < AGENT_GAPS; i++)
		agent_state.gaps[i] =
			1 + (int64_t)((double)mean * -log((i + 0.5) / AGENT_GAPS));
	reset_threads();
	memset(agent_state.sampled, 0, sizeof(agent_state.sampled));
	drain();
}

/* Every call is drawn, or none. */
static void draw(bool is_drawn)
{
	for (unsigned i = 0; i < AGENT_GAPS; i++)
		agent_state.gaps[i] = 1;
	agent_state.sample_bytes = 1;
	if (own_thread())
		own_thread()->sample_left = is_drawn ? 1 : INT64_MAX;
}

static double weight(uint64_t size, int64_t mean)
{
	return 1 / -expm1(-(double)size / (double)mean);
}

static void samples_are_unbiased(void **state)
{
	static const uint64_t sizes[] = { 1, 16, 100, 1000, 5000, 100000 };
	double blocks[6] = { 0 }, expected[6] = { 0 };
	fixture_function *get = fixture_stub(&kinds[MALLOC], MALLOC, real_identity);
	uint64_t frees = 0, allocs = 0;

	set_gaps(4096);
	for (uint32_t i = 0; i < 3000000; i++) {
		uint32_t which = next_random(1000) < 995 ? next_random(4) : 4 + next_random(2);
		taddr_t address = 0x7f0000000000 + (uint64_t)(i % 4096) * 64;

		expected[which]++;
		get(sizes[which], address, 0, 0);
		stubs[FREE](address, 0, 0, 0);
		if (i % 1000)
			continue;
		drain();
		for (uint32_t j = 0; j < nr_seen; j++) {
			allocs += seen[j].kind == AGENT_ALLOC;
			frees += seen[j].kind == AGENT_FREE;
			for (int k = 0; k < 6 && seen[j].kind == AGENT_ALLOC; k++)
				if (seen[j].size == sizes[k])
					blocks[k] += weight(seen[j].size, 4096);
		}
	}
	assert_true(allocs > 100000);
	assert_in_range(frees, allocs - 2, allocs + 2);
	for (int i = 1; i < 6; i++)
		assert_true(fabs(blocks[i] / expected[i] - 1) < 0.08);
}

static fixture_function *inner_get;

/* musl's calloc calls malloc. */
NOINLINE static uint64_t nesting_identity(uint64_t size, uint64_t address, uint64_t c, uint64_t d)
{
	return inner_get(size, address, 0, 0);
}

static void nested_samples_count_once(void **state)
{
	fixture_function *outer = fixture_stub(&kinds[OTHER], OTHER, nesting_identity);
	double estimate = 0;
	uint32_t nr = 300000;

	inner_get = fixture_stub(&kinds[MALLOC], MALLOC, real_identity);
	set_gaps(1000);
	for (uint32_t i = 0; i < nr; i++) {
		taddr_t address = 0x7f0000000000 + (uint64_t)(i % 4096) * 64;

		outer(100, address, 0, 0);
		stubs[FREE](address, 0, 0, 0);
		if (i % 1000)
			continue;
		drain();
		for (uint32_t j = 0; j < nr_seen; j++) {
			assert_true(seen[j].kind == AGENT_FREE || seen[j].function == OTHER);
			if (seen[j].kind == AGENT_ALLOC)
				estimate += weight(100, 1000);
		}
	}
	assert_true(fabs(estimate / nr - 1) < 0.05);
}

static void sampled_resizes(void **state)
{
	taddr_t old = DEAD_BLOCK, new = DEAD_BLOCK + 64;

	set_gaps(1);
	draw(true);
	stubs[MALLOC](1, 0, 0, 0);
	assert_string_equal(kinds_seen(), "A");
	result = new;
	draw(false);
	stubs[REALLOC](old, 5, 0, 0);			/* sampled to not sampled */
	assert_string_equal(kinds_seen(), "BD");
	stubs[FREE](new, 0, 0, 0);
	assert_string_equal(kinds_seen(), "");
	stubs[REALLOC](old, 5, 0, 0);			/* neither */
	assert_string_equal(kinds_seen(), "");
	draw(true);
	stubs[REALLOC](old, 5, 0, 0);			/* not sampled to sampled */
	assert_string_equal(kinds_seen(), "A");
	check_seen(0, AGENT_ALLOC, new, 5);
	result = old;
	stubs[REALLOC](new, 6, 0, 0);			/* both */
	assert_string_equal(kinds_seen(), "BDA");
	result = 0;
	stubs[REALLOC](old, 6, 0, 0);			/* fails: it stays sampled */
	assert_string_equal(kinds_seen(), "BX");
	draw(false);
	stubs[REALLOC](old, 6, 0, 0);
	assert_string_equal(kinds_seen(), "BX");
	stubs[REALLOC](old, 0, 0, 0);
	assert_string_equal(kinds_seen(), "BD");
	stubs[FREE](old, 0, 0, 0);
	assert_string_equal(kinds_seen(), "");
	draw(true);
	stubs[REALLOC](old, 6, 0, 0);			/* not sampled, fails */
	assert_string_equal(kinds_seen(), "N");
	stubs[REALLOC](old, 0, 0, 0);
	assert_string_equal(kinds_seen(), "");
	assert_int_equal(own_thread()->nr_calls, 0);
}

static void more_samples_than_places(void **state)
{
	fixture_function *get = fixture_stub(&kinds[MALLOC], MALLOC, real_identity);
	uint64_t allocs = 0, frees = 0, nr = AGENT_SAMPLED * 2;

	set_gaps(1);
	draw(true);
	for (uint64_t i = 0; i < 2 * nr; i++) {
		if (i < nr)
			get(1, 0x7f0000000000 + i * 16, 0, 0);
		else
			stubs[FREE](0x7f0000000000 + (i - nr) * 16, 0, 0, 0);
		if (i % 1000 && i != 2 * nr - 1)
			continue;
		drain();
		for (uint32_t j = 0; j < nr_seen; j++) {
			allocs += seen[j].kind == AGENT_ALLOC;
			frees += seen[j].kind == AGENT_FREE;
		}
	}
	assert_int_equal(allocs, frees);
	assert_true(allocs > AGENT_SAMPLED / 2 && allocs <= AGENT_SAMPLED);
	assert_int_equal(agent_state.shared->dropped, nr - allocs);
}

/* ---- the loader ---- */

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
	agent_state.wait_cycles = cycles / 20;
	cycles = load_cycles(false);		/* the clock stands at last */
	assert_true(cycles > 100 * agent_state.wait_cycles);
	agent_state.wait_cycles = cycles / 10000;
	cycles = load_cycles(false);		/* it moves, but too long */
	assert_true(cycles < 30000 * agent_state.wait_cycles);
	agent_state.enabled = 0;
	agent_loader(NULL, NULL, 0);
	assert_int_equal(agent_state.shared->loader_requests, 3);
	agent_state.wait_cycles = wait;
}

/* ---- stubs ---- */

/*
 * call_checked(stub, given, got): calls with rdi, rsi, rdx, rcx, rax, r8 to r11, rbx, rbp, r12
 * to r15 and xmm0 to xmm15 from *given and stores what they are afterwards.  real_checked does
 * the same seen from inside, and clobber is a hook that spoils all it may.
 */
struct registers {
	uint64_t general[14];		/* rdi rsi rdx rcx rax r8 r9 r10 r11 rbx rbp r12 r13 r14 */
	uint64_t rsp;			/* at the first instruction, or after the return */
	uint64_t unused;
	uint8_t vector[16][16];
};

void call_checked(fixture_function *stub, const struct registers *given, struct registers *got);
uint64_t real_checked(uint64_t, uint64_t, uint64_t, uint64_t);
uint32_t clobber(const struct agent_registers *, const struct agent_function *, uint64_t);
struct registers inner_got, inner_given;
struct { uint64_t regs, function, fp, result, rsp, answer; } hooked[2];
uint64_t nr_hooked;

__asm__(".macro move_general how, base\n"
	"\\how 0, %rdi, \\base\n \\how 8, %rsi, \\base\n \\how 16, %rdx, \\base\n"
	"\\how 24, %rcx, \\base\n \\how 32, %rax, \\base\n \\how 40, %r8, \\base\n"
	"\\how 48, %r9, \\base\n \\how 56, %r10, \\base\n \\how 64, %r11, \\base\n"
	"\\how 72, %rbx, \\base\n \\how 80, %rbp, \\base\n \\how 88, %r12, \\base\n"
	"\\how 96, %r13, \\base\n \\how 104, %r14, \\base\n"
	".endm\n"
	".macro store at, reg, base\n mov \\reg, \\at(\\base)\n .endm\n"
	".macro fetch at, reg, base\n mov \\at(\\base), \\reg\n .endm\n"
	".macro move_vector how, base\n"
	".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
	"\\how \\n, \\base\n"
	".endr\n .endm\n"
	".macro store_vector n, base\n movdqu %xmm\\n, 128+16*\\n(\\base)\n .endm\n"
	".macro fetch_vector n, base\n movdqu 128+16*\\n(\\base), %xmm\\n\n .endm\n"
	".text\n"
	".type call_checked, @function\n"
	"call_checked:\n"
	"push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
	"push %rdx\n"			/* got; rsp is aligned */
	"mov %rdi, %r15\n"
	"move_vector fetch_vector, %rsi\n"
	"mov %rsi, %r14\n"
	"fetch 0, %rdi, %r14\n fetch 8, %rsi, %r14\n fetch 16, %rdx, %r14\n"
	"fetch 24, %rcx, %r14\n fetch 32, %rax, %r14\n fetch 40, %r8, %r14\n"
	"fetch 48, %r9, %r14\n fetch 56, %r10, %r14\n fetch 64, %r11, %r14\n"
	"fetch 72, %rbx, %r14\n fetch 80, %rbp, %r14\n fetch 88, %r12, %r14\n"
	"fetch 96, %r13, %r14\n fetch 104, %r14, %r14\n"
	"call *%r15\n"
	"mov (%rsp), %r15\n"
	"move_general store, %r15\n"
	"mov %rsp, 112(%r15)\n"
	"move_vector store_vector, %r15\n"
	"pop %rdx\n"
	"pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
	"ret\n"
	".size call_checked, . - call_checked\n"
	".type real_checked, @function\n"
	"real_checked:\n"
	"push %r15\n"
	"lea inner_got(%rip), %r15\n"
	"move_general store, %r15\n"
	"move_vector store_vector, %r15\n"
	"lea 8(%rsp), %rax\n"
	"mov %rax, 112(%r15)\n"
	"lea inner_given(%rip), %r15\n"
	"move_vector fetch_vector, %r15\n"
	"fetch 0, %rdi, %r15\n fetch 8, %rsi, %r15\n fetch 16, %rdx, %r15\n"
	"fetch 24, %rcx, %r15\n fetch 32, %rax, %r15\n fetch 40, %r8, %r15\n"
	"fetch 48, %r9, %r15\n fetch 56, %r10, %r15\n fetch 64, %r11, %r15\n"
	"pop %r15\n"
	"ret\n"
	".size real_checked, . - real_checked\n"
	".type clobber, @function\n"
	"clobber:\n"
	"mov nr_hooked(%rip), %rax\n"
	"lea (%rax,%rax,2), %rax\n"
	"shl $4, %rax\n"
	"lea hooked(%rip), %r8\n"
	"add %rax, %r8\n"
	"mov %rdi, (%r8)\n mov %rsi, 8(%r8)\n mov %rdx, 16(%r8)\n mov %rcx, 24(%r8)\n"
	"mov %rsp, 32(%r8)\n mov 40(%r8), %rax\n"
	"incq nr_hooked(%rip)\n"
	"mov $-1, %rdi\n mov $-2, %rsi\n mov $-3, %rdx\n mov $-4, %rcx\n mov $-5, %r8\n"
	"mov $-6, %r9\n mov $-7, %r10\n mov $-8, %r11\n"
	"ret\n"
	".size clobber, . - clobber\n");

static void fill(struct registers *registers, uint8_t seed)
{
	for (size_t i = 0; i < sizeof(*registers); i++)
		((uint8_t *)registers)[i] = (uint8_t)(seed + i * 7);
	registers->rsp = 0;
}

static void check_template(bool is_jump, uint64_t answer)
{
	const struct fixture_kind kind = { .is_jump = is_jump };
	fixture_function *stub = fixture_stub(&kind, 9, (void *)real_checked);
	size_t bytes = (size_t)(is_jump ? agent_jump_end - agent_jump : agent_call_end - agent_call);
	struct agent_literals *literals = (void *)((char *)(uintptr_t)stub + bytes -
						   sizeof(*literals));
	bool has_after = !is_jump && answer;
	struct registers given, got;
	uint64_t entry;

	literals->before = literals->after = (uintptr_t)clobber;
	fill(&given, 3);
	fill(&inner_given, 91);
	nr_hooked = 0;
	hooked[0].answer = answer;
	call_checked(stub, &given, &got);
	entry = got.rsp - 8;
	/* inside all is as it was given; outside as it was left */
	assert_memory_equal(inner_got.general, given.general, sizeof(given.general));
	assert_memory_equal(inner_got.vector, given.vector, sizeof(given.vector));
	assert_memory_equal(got.general, inner_given.general, 9 * 8);
	assert_memory_equal(got.general + 9, given.general + 9, 5 * 8);
	assert_memory_equal(got.vector, inner_given.vector, sizeof(given.vector));
	assert_int_equal(inner_got.rsp, has_after ? entry - 80 : entry);
	assert_int_equal(inner_got.rsp & 15, 8);
	assert_int_equal(nr_hooked, has_after ? 2 : 1);
	for (uint64_t i = 0; i < nr_hooked; i++) {
		assert_int_equal(hooked[i].regs, entry - AGENT_WRAP_BYTES);
		assert_int_equal(hooked[i].function, (uintptr_t)&literals->function);
		assert_int_equal(hooked[i].fp, given.general[10]);
		assert_int_equal(hooked[i].rsp & 15, 8);
	}
	if (has_after)
		assert_int_equal(hooked[1].result, inner_given.general[4]);
}

static void templates_keep_all_registers(void **state)
{
	check_template(false, 1);
	check_template(false, 0);
	check_template(true, 1);
	check_template(true, 0);
}

/* ---- stack used ---- */

#define STUB_BYTES 160			/* two sets of registers and a word, a return address */

static uint64_t note_sp(uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	return result;
}

void call_on(void *stack, fixture_function *function, uint64_t a, uint64_t b);
__asm__(".type call_on, @function\n"
	"call_on:\n"
	"push %rbp\n"
	"mov %rsp, %rbp\n"
	"mov %rdi, %rsp\n"
	"mov %rsi, %rax\n"
	"mov %rdx, %rdi\n"
	"mov %rcx, %rsi\n"
	"call *%rax\n"
	"mov %rbp, %rsp\n"
	"pop %rbp\n"
	"ret\n"
	".size call_on, . - call_on\n");

/* Bytes below the call's sp that a stub, its hooks and an empty real function have written. */
static size_t used_by(fixture_function *function, uint64_t a, uint64_t b)
{
	uint8_t *stack = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t used = 0;

	memset(stack, 0xa5, 65536);
	call_on(stack + 32768, function, a, b);
	for (size_t i = 0; i < 32768; i++)
		if (stack[i] != 0xa5) {
			used = 32768 - i;
			break;
		}
	munmap(stack, 65536);
	return used;
}

static void little_stack_is_used(void **state)
{
	fixture_function *get = fixture_stub(&kinds[MALLOC], MALLOC, note_sp);
	fixture_function *resize = fixture_stub(&kinds[REALLOC], REALLOC, note_sp);
	size_t most = 0, used;

	for (int i = 0; i < 200; i++) {
		if (i % 20 == 0)
			fixture_publish();
		if (i % 30 == 0)
			reset_threads();
		used = i % 3 == 0 ? used_by(get, 1, 0) : i % 3 == 1 ? used_by(resize, DEAD_BLOCK, 5) :
		       used_by(stubs[FREE], DEAD_BLOCK, 0);
		most = used > most ? used : most;
		agent_state.shared->rings[RING].taken_seen = 0;
		drain();
	}
	most -= STUB_BYTES;
	print_message("hooks use at most %zu bytes of stack\n", most);
	assert_true(most <= 512);
}

/* ---- the image ---- */

static void the_image_runs_anywhere(void **state)
{
	const struct agent_header *header = (const struct agent_header *)agent_blob;
	size_t bytes = AGENT_TEXT_BYTES + sizeof(struct agent_state);
	uint8_t *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE | PROT_EXEC,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct agent_state *own;
	struct agent_literals *literals;
	uint8_t *stub;

	assert_true(base != MAP_FAILED);
	assert_int_equal(header->magic, AGENT_MAGIC);
	assert_int_equal(header->bytes, agent_blob_end - agent_blob);
	assert_true(header->bytes <= AGENT_TEXT_BYTES);
	assert_int_equal(header->call % 8, 0);
	assert_int_equal(header->call_end % 8, 0);
	assert_int_equal(header->call_return - header->call, agent_call_return - agent_call);
	memcpy(base, agent_blob, header->bytes);
	own = (struct agent_state *)(base + AGENT_TEXT_BYTES);
	memcpy(own, &agent_state, offsetof(struct agent_state, gaps));
	stub = base + header->call;
	literals = (struct agent_literals *)(void *)(base + header->call_end - sizeof(*literals));
	*literals = (struct agent_literals){
		.before = (uintptr_t)base + header->before,
		.after = (uintptr_t)base + header->after,
		.real = (uintptr_t)real, .function = { .index = 33 },
	};
	agent_state.enabled = 0;
	assert_int_equal(((fixture_function *)(uintptr_t)stub)(5, 0, 0, 0), DEAD_BLOCK);
	assert_string_equal(kinds_seen(), "A");
	check_seen(0, AGENT_ALLOC, DEAD_BLOCK, 5);
	assert_int_equal(seen[0].function, 33);
	assert_true(seen[0].node >= AGENT_FIRST_NODE);
	munmap(base, bytes);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(templates_keep_all_registers),
		TEST(each_kind_of_allocation),
		TEST(each_kind_of_failure),
		TEST(each_kind_of_free),
		TEST(each_end_of_a_resize),
		TEST(addresses_that_do_not_fit),
		TEST(passes_through),
		TEST(forked_within_a_call),
		TEST(only_the_outermost_counts),
		TEST(a_call_handed_on_by_a_jump),
		TEST(nested_in_code_without_rules),
		TEST(calls_left_by_longjmp),
		TEST(a_left_call_is_not_taken_for_an_outer_one),
		TEST(handlers_allocate),
		TEST(nested_after_a_handler),
		TEST(handlers_anywhere),
		TEST(a_hook_left_by_a_handler),
		TEST(stacks_are_those_of_the_walker),
		TEST(deep_recursion),
		TEST(on_the_stack_of_a_thread),
		TEST(stacks_of_handlers),
		TEST(a_map_that_changes),
		TEST(without_a_map),
		TEST(a_full_tree),
		TEST(a_full_ring),
		TEST(many_laps),
		TEST(room_is_waited_for),
		TEST(threads_and_a_consumer),
		TEST(no_place_for_a_thread),
		TEST(a_place_freed_within_a_call),
		TEST(garbage_on_a_stack),
		TEST(garbage_is_the_walkers_garbage),
		TEST(samples_are_unbiased),
		TEST(nested_samples_count_once),
		TEST(sampled_resizes),
		TEST(more_samples_than_places),
		TEST(the_loader_waits),
		TEST(little_stack_is_used),
		TEST(the_image_runs_anywhere),
	};
	int failed;

	fixture_start();
	walker_init(&walker, &fixture.map);
	for (uint32_t i = MALLOC; i < NR_STUBS; i++)
		stubs[i] = fixture_stub(&kinds[i], i, i == INTO ? (void *)real_into : (void *)real);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	fixture_stop();
	return failed;
}
