/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Registers of a stopped thread and the System V AMD64 calling convention (ABI supplement,
 * 3.2.3: arguments in rdi rsi rdx rcx r8 r9, result in rax; at the first instruction of a
 * function the return address lies at rsp).
 */
#ifndef MEMTRACE_ARCH_X86_64_REGISTERS_H
#define MEMTRACE_ARCH_X86_64_REGISTERS_H

#include <sys/user.h>

#include "../../base/types.h"

typedef struct user_regs_struct arch_regs;

/* Offset for PTRACE_POKEUSER. */
#define ARCH_PC_OFFSET offsetof(struct user, regs.rip)

static inline uint64_t arch_argument(const arch_regs *regs, unsigned i)
{
	switch (i) {
	case 0:
		return regs->rdi;
	case 1:
		return regs->rsi;
	case 2:
		return regs->rdx;
	case 3:
		return regs->rcx;
	default:
		return 0;
	}
}

static inline uint64_t arch_result(const arch_regs *regs)
{
	return regs->rax;
}

#endif
