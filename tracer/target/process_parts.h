/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of process.h share: process.c, family.c and waits.c.  Results are 0 or -errno. */
#ifndef MEMTRACE_TARGET_PROCESS_PARTS_H
#define MEMTRACE_TARGET_PROCESS_PARTS_H

#include <errno.h>
#include <sys/ptrace.h>

#include "process.h"

/* Never EXITKILL: the target outlives us. */
#define SEIZE_OPTIONS                                                                  \
	(PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |              \
	 PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT | PTRACE_O_TRACESYSGOOD)

static inline int do_ptrace(int request, pid_t tid, unsigned long address, unsigned long data)
{
	return ptrace(request, tid, address, data) ? -errno : 0;
}

/* A record of no process; NULL: no memory. */
struct thread *thread_create(struct targets *targets, pid_t tid);
int thread_join(struct process *process, struct thread *thread);

#endif
