/* SPDX-License-Identifier: GPL-2.0-or-later */
/* unwind WAY: stacks of every kind, each ending in the chain outer, middle, inner. */
#include <alloca.h>
#include <signal.h>

#include "chain.h"


static volatile int sink;

A_FRAME int recursive(int depth)
{
	return depth ? recursive(depth - 1) + 1 : outer(5) + 1;
}

static int compare(const void *a, const void *b)
{
	static int done;

	if (!done++)
		sink = outer(6) + 1;
	return *(const int *)a - *(const int *)b;
}

A_FRAME int sorting(void)
{
	int numbers[] = { 3, 1, 2 };

	qsort(numbers, 3, sizeof(int), compare);
	return numbers[0];
}

static void on_signal(int number)
{
	sink = outer(number) + 1;
}

A_FRAME int raising(void)
{
	signal(SIGUSR1, on_signal);
	return raise(SIGUSR1) + 1;
}

/* Interrupted before its first push, where only the unwind tables know the frame. */
A_FRAME int faulting(int *address)
{
	*address = 1;
	return 1;
}

static void on_fault(int number, siginfo_t *info, void *context)
{
	sink = outer(number) + 1;
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RDI] = (greg_t)&sink;
	MUST(info);
}

A_FRAME int faults(void)
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };

	sigaction(SIGSEGV, &action, NULL);
	return faulting((int *)8) + 1;
}

/* Interrupted where rbp has been popped, and the unwind data still has it below the stack, as
 * compilers say it; the handler has a stack of its own. */
int popped(void);
__asm__(".pushsection .text\n"
	".globl popped\n"
	".type popped, @function\n"
	"popped:\n"
	"	.cfi_startproc\n"
	"	push %rbp\n"
	"	.cfi_def_cfa_offset 16\n"
	"	.cfi_offset %rbp, -16\n"
	"	mov $1, %ebp\n"
	"	mov %ebp, %eax\n"
	"	pop %rbp\n"
	"	.cfi_def_cfa_offset 8\n"
	"	ud2\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size popped, . - popped\n"
	".popsection\n");

static void on_trap(int number, siginfo_t *info, void *context)
{
	sink = outer(number) + 1;
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 2;
	MUST(info);
}

/* Has its CFA in rbp. */
A_FRAME int pops(int n)
{
	static char stack[64 << 10];
	stack_t alternate = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction action = {
		.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO | SA_ONSTACK,
	};
	volatile char *room = alloca(n * 16);

	room[n] = 1;
	sigaltstack(&alternate, NULL);
	sigaction(SIGILL, &action, NULL);
	return popped() + room[n];
}

/* A frame whose size only it knows: its CFA is found through rbp. */
A_FRAME int variable(int n)
{
	volatile char *room = alloca(n * 16);

	room[n] = 1;
	return outer(7) + room[n];
}

__attribute__((aligned(64))) A_FRAME int realigned(int n)
{
	volatile char room[128] __attribute__((aligned(64)));

	room[n] = 1;
	MUST(((size_t)room & 63) == 0);
	return outer(8) + room[n];
}

/* Both: rbp is saved where rbp points, and the CFA lies in a word below it. */
A_FRAME int realigned_variable(int n)
{
	volatile char room[128] __attribute__((aligned(64)));
	volatile char *more = alloca(n * 16);

	room[n] = more[n] = 1;
	MUST(((size_t)room & 63) == 0);
	return outer(9) + room[n] + more[n];
}

int main(int argc, char **argv)
{
	const char *way = argv[1];

	stage("ready");
	if (strcmp(way, "chain") == 0)
		sink = outer(4) + 1;
	else if (strcmp(way, "recursive") == 0)
		sink = recursive(atoi(argv[2])) + 1;
	else if (strcmp(way, "qsort") == 0)
		sink = sorting() + 1;
	else if (strcmp(way, "signal") == 0)
		sink = raising() + 1;
	else if (strcmp(way, "fault") == 0)
		sink = faults() + 1;
	else if (strcmp(way, "popped") == 0)
		sink = pops(9) + 1;
	else if (strcmp(way, "variable") == 0)
		sink = variable(9) + 1;
	else if (strcmp(way, "realigned") == 0)
		sink = realigned(9) + 1;
	else if (strcmp(way, "realigned_variable") == 0)
		sink = realigned_variable(9) + 1;
	tell_truth();
	stage("done");
	return correct();
}
