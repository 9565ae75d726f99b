/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What stubs and image leave alone: registers, most of the stack, and where they run. */
#include "../../tracer/agent/blob.h"
#include "agent_calls.h"

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

/* Also with a log, for which more stacks are taken, and which has one ring. */
static void little_stack_is_used(void **state)
{
	fixture_function *get = fixture_stub(&kinds[MALLOC], MALLOC, note_sp);
	fixture_function *resize = fixture_stub(&kinds[REALLOC], REALLOC, note_sp);
	size_t most = 0, used;

	for (int i = 0; i < 400; i++) {
		agent_state.callers = i >= 200;
		if (i % 20 == 0)
			fixture_publish();
		if (i % 30 == 0)
			reset_threads();
		used = i % 3 == 0 ? used_by(get, 1, 0) : i % 3 == 1 ? used_by(resize, DEAD_BLOCK, 5) :
		       used_by(stubs[FREE], DEAD_BLOCK, 0);
		most = used > most ? used : most;
		agent_state.shared->rings[RING].taken_seen = 0;
		agent_state.shared->rings[0].taken_seen = 0;
		drain();
	}
	agent_state.callers = 0;
	most -= STUB_BYTES;
	print_message("hooks use at most %zu bytes of stack\n", most);
	assert_true(most <= 512);
}

static void a_log_has_callers(void **state)
{
	stubs[FREE](DEAD_BLOCK, 0, 0, 0);
	drain();
	assert_int_equal(seen[nr_seen - 1].kind, AGENT_FREE);
	assert_int_equal(seen[nr_seen - 1].node, AGENT_ROOT);
	agent_state.callers = agent_state.free_stacks = 1;
	stubs[FREE](DEAD_BLOCK, 0, 0, 0);
	drain();
	agent_state.callers = agent_state.free_stacks = 0;
	assert_int_equal(seen[nr_seen - 1].kind, AGENT_FREE);
	assert_in_range(seen[nr_seen - 1].node, AGENT_FIRST_NODE, AGENT_NODES - 1);
}

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(templates_keep_all_registers),
		TEST(little_stack_is_used),
		TEST(a_log_has_callers),
		TEST(the_image_runs_anywhere),
	};

	return cmocka_run_group_tests(tests, calls_start, calls_stop);
}
