/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An allocator of the program's own that changes no register but rax.  A caller that knows that
 * (gcc -fipa-ra) keeps values in all others: general and vector registers, MXCSR.
 */
#include <stdint.h>

#include "truth.h"

/* Blocks of 64 bytes, one after the other; rax is the only register touched. */
__asm__(".text\n"
	".globl malloc, free\n"
	".type malloc, @function\n"
	".type free, @function\n"
	"malloc: .cfi_startproc\n"
	"	movl $64, %eax\n"
	"	lock xaddq %rax, used(%rip)\n"
	"	andl $0xfffff, %eax\n"
	"	pushq %rcx\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	leaq arena(%rip), %rcx\n"
	"	addq %rcx, %rax\n"
	"	popq %rcx\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"	ret\n"
	"	.cfi_endproc\n"
	"	.size malloc, . - malloc\n"
	"free: .cfi_startproc\n"
	"	movl $0, %eax\n"
	"	testq %rdi, %rdi\n"
	"	nopl 0(%rax, %rax)\n"
	"	ret\n"
	"	.cfi_endproc\n"
	"	.size free, . - free\n");

__attribute__((used)) static uint64_t used;
__attribute__((used, aligned(64))) static char arena[(1 << 20) + 64];

struct registers {
	uint64_t general[16];		/* rax rbx rcx rdx rsi rdi rbp rsp r8 .. r15 */
	uint64_t vector[16][2];
	uint32_t mxcsr, unused[3];
};

/* Loads all of `in`, calls, stores all to `out`; rsp is the stack's. */
void call_with(void *function, const struct registers *in, struct registers *out);

#define VECTORS(what) what(0) what(1) what(2) what(3) what(4) what(5) what(6) what(7) \
	what(8) what(9) what(10) what(11) what(12) what(13) what(14) what(15)
#define LOAD(n) "	movups 128+16*" #n "(%rsi), %xmm" #n "\n"
#define STORE(n) "	movups %xmm" #n ", 128+16*" #n "(%rax)\n"

__asm__(".text\n"
	"call_with:\n"
	"	pushq %rbx; pushq %rbp; pushq %r12; pushq %r13; pushq %r14; pushq %r15\n"
	"	pushq %rdx\n"			/* out */
	"	pushq %rdi\n"			/* function */
	"	subq $8, %rsp\n"
	VECTORS(LOAD)
	"	ldmxcsr 384(%rsi)\n"
	"	movq 8(%rsi), %rbx; movq 16(%rsi), %rcx; movq 24(%rsi), %rdx\n"
	"	movq 40(%rsi), %rdi; movq 48(%rsi), %rbp; movq 64(%rsi), %r8\n"
	"	movq 72(%rsi), %r9; movq 80(%rsi), %r10; movq 88(%rsi), %r11\n"
	"	movq 96(%rsi), %r12; movq 104(%rsi), %r13; movq 112(%rsi), %r14\n"
	"	movq 120(%rsi), %r15; movq 32(%rsi), %rsi\n"
	"	call *8(%rsp)\n"
	"	movq %rax, (%rsp)\n"
	"	movq 16(%rsp), %rax\n"
	"	movq %rbx, 8(%rax); movq %rcx, 16(%rax); movq %rdx, 24(%rax)\n"
	"	movq %rsi, 32(%rax); movq %rdi, 40(%rax); movq %rbp, 48(%rax)\n"
	"	movq %r8, 64(%rax); movq %r9, 72(%rax); movq %r10, 80(%rax)\n"
	"	movq %r11, 88(%rax); movq %r12, 96(%rax); movq %r13, 104(%rax)\n"
	"	movq %r14, 112(%rax); movq %r15, 120(%rax)\n"
	"	popq %rcx\n"
	"	movq %rcx, (%rax)\n"
	VECTORS(STORE)
	"	stmxcsr 384(%rax)\n"
	"	addq $16, %rsp\n"
	"	popq %r15; popq %r14; popq %r13; popq %r12; popq %rbp; popq %rbx\n"
	"	ret\n");

#define ROUND_DOWN 0x3f80	/* an MXCSR that is not the usual one */

static void *call_checked(void *function, uint64_t argument)
{
	static uint64_t seed = 88172645463325252ul;
	struct registers in, out;

	for (size_t i = 0; i < sizeof(in) / 8; i++) {
		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		((uint64_t *)&in)[i] = seed;
	}
	in.general[5] = argument;
	in.mxcsr = ROUND_DOWN;
	memset(&out, 0, sizeof(out));
	call_with(function, &in, &out);
	__asm__ volatile("ldmxcsr %0" : : "m"((uint32_t){ 0x1f80 }));
	for (int i = 1; i < 16; i++)
		MUST(i == 7 || in.general[i] == out.general[i]);
	MUST(memcmp(in.vector, out.vector, sizeof(in.vector)) == 0);
	MUST(out.mxcsr == in.mxcsr);
	return (void *)out.general[0];
}

int main(void)
{
	stage("ready");
	for (int i = 0; i < 500; i++) {
		void *block = T_NEW(call_checked((void *)malloc, i + 1), i + 1);	/* LIVE */

		MUST(block >= (void *)arena && block < (void *)(arena + sizeof(arena)));
		if (i % 5) {
			truth_freed(i + 1);
			call_checked((void *)free, (uint64_t)block);
		}
	}
	tell_truth();
	stage("done");
	return correct();
}
