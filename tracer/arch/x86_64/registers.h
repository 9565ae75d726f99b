/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Registers of a stopped thread and the System V AMD64 calling convention (ABI supplement,
 * 3.2.3: arguments in rdi rsi rdx rcx r8 r9, result in rax; at the first instruction of a
 * function the return address lies at rsp).
 */
#ifndef MEMTRACE_ARCH_X86_64_REGISTERS_H
#define MEMTRACE_ARCH_X86_64_REGISTERS_H

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
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
	case 4:
		return regs->r8;
	case 5:
		return regs->r9;
	default:
		return 0;
	}
}

static inline uint64_t arch_result(const arch_regs *regs)
{
	return regs->rax;
}

/* The processor's clock: the time-stamp counter. */
static inline uint64_t arch_cycles(void)
{
	return __builtin_ia32_rdtsc();
}

/* System calls that return EINTR rather than start again when a tracer interrupts them, though
 * no handler runs: signal(7), and the kernel's ipc/sem.c, fs/eventpoll.c, fs/aio.c, io_uring/.
 * None has done a part of its work then, or it would tell how much; a connect waits on. */
static inline bool arch_call_interrupted(const arch_regs *regs)
{
	if ((int64_t)regs->rax != -EINTR)
		return false;
	switch ((int64_t)regs->orig_rax) {
	case SYS_epoll_wait:
	case SYS_epoll_pwait:
	case SYS_epoll_pwait2:
	case SYS_semop:
	case SYS_semtimedop:
	case SYS_rt_sigtimedwait:
	case SYS_io_getevents:
	case SYS_io_pgetevents:
	case SYS_io_uring_enter:
	case SYS_read: /* of inotify, and the others of sockets with a timeout */
	case SYS_readv:
	case SYS_recvfrom:
	case SYS_recvmsg:
	case SYS_recvmmsg:
	case SYS_splice:
	case SYS_sendfile:
	case SYS_write:
	case SYS_writev:
	case SYS_sendto:
	case SYS_sendmsg:
	case SYS_sendmmsg:
	case SYS_accept:
	case SYS_accept4:
	case SYS_connect:
		return true;
	default:
		return false;
	}
}

struct arch_exec {
	taddr_t path;
	int folder;		/* which it is relative to: AT_FDCWD or a descriptor */
};

/* Stopped at the entry of a system call, where its result is not there yet, that is an exec. */
static inline bool arch_begins_exec(const arch_regs *regs, struct arch_exec *out)
{
	bool is_at = regs->orig_rax == SYS_execveat;

	if ((int64_t)regs->rax != -ENOSYS || (!is_at && regs->orig_rax != SYS_execve))
		return false;
	out->path = is_at ? regs->rsi : regs->rdi;
	out->folder = is_at ? (int)regs->rdi : AT_FDCWD;
	return true;
}

/* The call by which one thread ends, and not its process. */
static inline bool arch_call_ends_thread(const arch_regs *regs)
{
	return regs->orig_rax == SYS_exit;
}

/* Stopped in a system call, or on its way out of one. */
static inline bool arch_is_in_call(const arch_regs *regs)
{
	return (int64_t)regs->orig_rax >= 0;
}

/* Of one that stands right behind a syscall instruction: that one's address; 0: it does not, or came
 * into the kernel by another way.  The processor leaves the pc in rcx. */
static inline taddr_t arch_syscall_behind(const arch_regs *regs)
{
	return arch_is_in_call(regs) && regs->rcx == regs->rip ? regs->rip - 2 : 0;
}

/* Back to the syscall instruction, two bytes long. */
static inline void arch_call_again(arch_regs *regs)
{
	regs->rax = regs->orig_rax;
	regs->rip -= 2;
}

#endif
