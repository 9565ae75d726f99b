/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * System calls run inside the target, by one of its threads that is held:
 *
 *     injection_begin -> injection_call ... -> injection_end
 *
 * An existing `syscall` instruction is used; a frame is left below the stack, which brings the
 * thread back should we be killed meanwhile (parachute.h).  Registers, signal mask and an
 * interrupted system call come back as they were: the thread ends in the stop in which it was,
 * and a call that it was blocked in is restarted by the kernel when it is let go.  So no call run
 * here may use the thread's restart block (no sleep, futex or poll).
 *
 * One thread, the tracer.  Functions return 0 or -errno; -ESRCH: it was killed meanwhile, and
 * ends when it is released, which targets_next() will tell.  After a failed injection_begin() nothing has changed.
 */
#ifndef MEMTRACE_TARGET_SYSCALL_H
#define MEMTRACE_TARGET_SYSCALL_H

#include "parachute.h"
#include "process.h"

struct injection {
	struct targets *targets;
	struct thread *thread;
	taddr_t instruction;
	arch_regs saved;
	uint64_t saved_mask;
	taddr_t sp;		/* during the calls */
	uint64_t signals;	/* came meanwhile: to be sent again */
	bool gone;		/* killed meanwhile */
};

/* Without a restorer, or room on its stack, the thread has no parachute.  -EAGAIN: this thread
 * will not do, since it is within a system call or about to take a signal. */
int injection_begin(struct injection *injection, struct targets *targets, struct thread *thread,
		    const struct parachute_code *code);

/* *result is what the kernel returned: -4095 to -1 for a failure. */
int injection_call(struct injection *injection, long number, const uint64_t arguments[6],
		   int64_t *result);

int injection_end(struct injection *injection);

#endif
