/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A look into a process that is not dumpable: prctl(2), PR_SET_DUMPABLE.
 *
 * What a tracer without CAP_SYS_PTRACE has opened of it before goes on working, and so do its
 * registers; nothing new can be opened, least of all the memory of its fork children, which are
 * not dumpable from their first moment on.  There our breakpoints have to go.  So the child itself
 * makes it possible, for a moment:
 *
 *     access_open -> open its memory, restore, look -> access_close
 *
 * Only one that has our own user, group and no further capabilities: then no one is given what he
 * could not have had from its parent.
 *
 * One thread, the tracer.  Functions return 0 or -errno.
 */
#ifndef MEMTRACE_TARGET_ACCESS_H
#define MEMTRACE_TARGET_ACCESS_H

#include "syscall.h"

struct access {
	struct injection injection;
};

/* The thread is the only one of a process that fork, vfork or clone has just made, and has not run
 * since its first stop; that stop, if it was not handled yet, still comes out of targets_next().
 * After a failure, nothing has changed: -EPERM: it is not ours to look at; -ESRCH: it has ended. */
int access_open(struct access *access, struct targets *targets, struct thread *thread);

/* It is as it was. */
void access_close(struct access *access);

/* The same within calls that are under way in any thread.  After a failure nothing has changed. */
int access_give(struct injection *injection);
void access_take_back(struct injection *injection);

#endif
