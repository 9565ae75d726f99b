/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the agent adds to one pair of malloc and free, 16 calls deep: stubs, hooks, rings and a
 * consumer that reads each record; the allocator is a stand-in that does nothing.
 *
 *     agent_bench [PAIRS]		ns a pair, in five patterns of calls
 */
#include <pthread.h>
#include <time.h>

#include "../unit/agent_fixture.h"

#define DEPTH 16
#define BATCH 2000
#define NOINLINE __attribute__((noinline, noclone))

static fixture_function *stub_malloc, *stub_free;
static volatile bool is_done;
static volatile uint64_t sum;

NOINLINE static uint64_t real_malloc(uint64_t size, uint64_t b, uint64_t c, uint64_t d)
{
	__asm__ volatile("");
	return 0x7f0000000000 + size * 16;
}

NOINLINE static uint64_t real_free(uint64_t pointer, uint64_t b, uint64_t c, uint64_t d)
{
	__asm__ volatile("");
	return 0;
}

static void *consume(void *unused)
{
	struct agent_shared *shared = agent_state.shared;

	while (!is_done) {
		for (unsigned i = 0; i < AGENT_RINGS; i++) {
			struct agent_ring *ring = &shared->rings[i];
			uint64_t next = ring->taken, end = next + 256;

			for (; next < end; next++) {
				const struct agent_record *record =
					&shared->records[i][next % AGENT_RING_RECORDS];

				if (__atomic_load_n(&record->lap_address, __ATOMIC_ACQUIRE) >> 48 !=
				    agent_lap(next))
					break;
				sum += record->kind_size ^ record->thread_stack;
			}
			__atomic_store_n(&ring->taken, next, __ATOMIC_RELEASE);
		}
		__atomic_fetch_add(&shared->now_ns, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

typedef void body(fixture_function *, fixture_function *, uint64_t);

NOINLINE static void pair(fixture_function *get, fixture_function *put, uint64_t i)
{
	put(get(i & 1023, 0, 0, 0), 0, 0, 0);
}

/* Four lines in turn. */
NOINLINE static void lines(fixture_function *get, fixture_function *put, uint64_t i)
{
	uint64_t block;

	switch (i & 3) {
	case 0: block = get(1, 0, 0, 0); break;
	case 1: block = get(2, 0, 0, 0); break;
	case 2: block = get(3, 0, 0, 0); break;
	default: block = get(4, 0, 0, 0); break;
	}
	put(block, 0, 0, 0);
}

/* Not equal, or else the compiler makes them one. */
#define FRAME(name, inner) \
	NOINLINE static void name(fixture_function *get, fixture_function *put, uint64_t i) \
	{ inner(get, put, i); __asm__ volatile("# " #name); }
FRAME(a1, pair) FRAME(a2, a1) FRAME(a3, a2)
FRAME(b1, pair) FRAME(b2, b1) FRAME(b3, b2)

/* Two branches of four frames each in turn. */
NOINLINE static void branches(fixture_function *get, fixture_function *put, uint64_t i)
{
	if (i & 1)
		a3(get, put, i);
	else
		b3(get, put, i);
}

static double loop(body *inner, uint64_t nr, bool stubs)
{
	fixture_function *get = stubs ? stub_malloc : real_malloc;
	fixture_function *put = stubs ? stub_free : real_free;
	uint64_t start = now_ns();

	for (uint64_t i = 0; i < nr; i++)
		inner(get, put, i);
	return (double)(now_ns() - start) / (double)nr;
}

/* The counter of the loop in rbp, as compilers without frame pointers may well have it. */
void count_in_rbp(body *inner, fixture_function *get, fixture_function *put, uint64_t nr);

__asm__(".text\n"
	".type count_in_rbp, @function\n"
	"count_in_rbp:\n"
	".cfi_startproc\n"
	"push %rbp\n"
	".cfi_def_cfa_offset 16\n"
	".cfi_offset %rbp, -16\n"
	"push %rbx\n"
	".cfi_def_cfa_offset 24\n"
	"push %r12\n"
	".cfi_def_cfa_offset 32\n"
	"push %r13\n"
	".cfi_def_cfa_offset 40\n"
	"sub $8, %rsp\n"
	".cfi_def_cfa_offset 48\n"
	"mov %rdi, %rbx\n"
	"mov %rsi, %r12\n"
	"mov %rdx, %r13\n"
	"mov %rcx, %rbp\n"
	"1: mov %r12, %rdi\n"
	"mov %r13, %rsi\n"
	"mov %rbp, %rdx\n"
	"call *%rbx\n"
	"dec %rbp\n"
	"jnz 1b\n"
	"add $8, %rsp\n"
	".cfi_def_cfa_offset 40\n"
	"pop %r13\n"
	".cfi_def_cfa_offset 32\n"
	"pop %r12\n"
	".cfi_def_cfa_offset 24\n"
	"pop %rbx\n"
	".cfi_def_cfa_offset 16\n"
	"pop %rbp\n"
	".cfi_def_cfa_offset 8\n"
	"ret\n"
	".cfi_endproc\n"
	".size count_in_rbp, . - count_in_rbp\n");

static double loop_in_rbp(body *inner, uint64_t nr, bool stubs)
{
	fixture_function *get = stubs ? stub_malloc : real_malloc;
	fixture_function *put = stubs ? stub_free : real_free;
	uint64_t start = now_ns();

	count_in_rbp(inner, get, put, nr);
	return (double)(now_ns() - start) / (double)nr;
}

NOINLINE static double deep(unsigned depth, double (*run)(body *, uint64_t, bool), body *inner,
			    uint64_t nr, bool stubs)
{
	double result = depth ? deep(depth - 1, run, inner, nr, stubs) : run(inner, nr, stubs);

	__asm__ volatile("");
	return result;
}

/* The quickest of many short runs in which nothing was dropped: the others were disturbed. */
static double best(double (*run)(body *, uint64_t, bool), body *inner, uint64_t nr, bool stubs)
{
	double least = 1e9;

	for (uint64_t i = 0; i < nr; i += BATCH) {
		uint64_t dropped = agent_state.shared->dropped;
		double time = deep(DEPTH - 6, run, inner, BATCH, stubs);

		if (dropped == agent_state.shared->dropped && time < least)
			least = time;
	}
	return least;
}

static void measure(const char *name, double (*run)(body *, uint64_t, bool), body *inner,
		    uint64_t nr)
{
	double bare = best(run, inner, nr, false);

	printf("%-34s %7.1f ns a pair (%.1f bare)\n", name, best(run, inner, nr, true) - bare,
	       bare);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	const struct fixture_kind alloc = { .call = AGENT_CALL_ALLOC };
	const struct fixture_kind release = { .call = AGENT_CALL_FREE, .is_jump = true };
	uint64_t nr = argc > 1 ? strtoull(argv[1], NULL, 10) : 2000000;
	pthread_t consumer;

	fixture_start();
	stub_malloc = fixture_stub(&alloc, 1, real_malloc);
	stub_free = fixture_stub(&release, 2, real_free);
	for (unsigned i = 0; i < AGENT_RINGS; i++)	/* room for ever */
		agent_state.shared->rings[i].taken_seen = 1ull << 62;
	memset(agent_state.shared->records, 0, sizeof(agent_state.shared->records));
	measure("one line, nobody consumes", loop, pair, nr);
	for (unsigned i = 0; i < AGENT_RINGS; i++) {
		struct agent_ring *ring = &agent_state.shared->rings[i];

		ring->taken = ring->taken_seen = ring->claimed;
	}
	fixture_require(!pthread_create(&consumer, NULL, consume, NULL), "no thread");
	measure("one line", loop, pair, nr);
	measure("four lines in turn", loop, lines, nr);
	measure("two branches of four frames", loop, branches, nr);
	measure("the same, counted in rbp", loop_in_rbp, a3, nr);
	for (unsigned i = 0; i < AGENT_GAPS; i++)
		agent_state.gaps[i] = 1 << 20;
	agent_state.sample_bytes = 1 << 20;
	measure("one line, one sample a MiB", loop, pair, nr);
	is_done = true;
	pthread_join(consumer, NULL);
	printf("%" PRIu64 " dropped, %u nodes, %" PRIu64 " unread\n", agent_state.shared->dropped,
	       agent_state.shared->nr_nodes, agent_state.shared->unread);
	fixture_stop();
	return 0;
}
