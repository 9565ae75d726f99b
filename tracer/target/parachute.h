/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What brings a thread back by itself, should the tracer be killed while the thread runs a
 * system call for it: a signal frame below its stack, as if a handler were about to return.
 *
 *     thread's sp  | red zone | extended state | struct rt_sigframe |  <- sp during the call
 *                                                ^ address of the C library's restorer
 *
 * The call is made by a `syscall` that a `ret` follows.  If nobody is there to set the registers
 * back, the ret leads to the restorer, and rt_sigreturn(2) restores registers, vector state and
 * signal mask.
 *
 * The thread is stopped.  One thread; functions return 0 or -errno.
 */
#ifndef MEMTRACE_TARGET_PARACHUTE_H
#define MEMTRACE_TARGET_PARACHUTE_H

#include "process.h"

#define PARACHUTE_SYSCALL_BYTES 2

/* Code that is already there. */
struct parachute_code {
	taddr_t syscall;	/* syscall; ret: 0: none */
	taddr_t restorer;	/* mov $__NR_rt_sigreturn,%rax; syscall: 0: none */
};

/* Searches vdso, C library and loader, and where there is neither, the rest; the target may run. */
struct parachute_code parachute_find(const struct memory *memory);

/* Whether it still is what was found: an exec may have come between. */
bool parachute_holds(const struct memory *memory, const struct parachute_code *code);

/* Writes the frame; *sp is what the thread's sp is to be during the call. */
int parachute_pack(const struct thread *thread, const arch_regs *regs, uint64_t mask,
		   const struct parachute_code *code, taddr_t *sp);

#endif
