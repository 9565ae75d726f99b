/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mappings and descriptors made in a target, by system calls that one of its threads runs:
 *
 *     inject_open -> inject_map, inject_advise, inject_file, inject_unmap ... -> inject_close
 *
 * All threads of the process are held.  The thread that carries the calls ends as it was
 * (syscall.h), and no descriptor of ours is left.  A seccomp filter of the target is suspended
 * on that thread for as long as it lasts, where the tracer may.
 *
 * One thread, the tracer.  Functions return 0 or -errno; -ESRCH: the target was killed.
 */
#ifndef MEMTRACE_TARGET_INJECT_H
#define MEMTRACE_TARGET_INJECT_H

#include "syscall.h"

struct inject {
	struct injection injection;
	bool unfiltered;	/* seccomp is suspended */
};

/* -EAGAIN: no thread can carry calls now; try again later.  -EACCES: seccomp forbids it, and
 * cannot be suspended. */
int inject_open(struct inject *inject, struct targets *targets, struct process *process,
		const struct parachute_code *code);
int inject_close(struct inject *inject);

/* As mmap(2) in the target; *out is the address. */
int inject_map(struct inject *inject, taddr_t address, size_t bytes, int protection, int flags,
	       int target_fd, uint64_t offset, taddr_t *out);
int inject_unmap(struct inject *inject, taddr_t address, size_t bytes);
int inject_advise(struct inject *inject, taddr_t address, size_t bytes, int advice);

/* Whether the thread that carries the calls may use the time-stamp counter; also true where that
 * cannot be found out. */
bool inject_may_read_clock(struct inject *inject);

/* Gives the target a descriptor of its own for the tracer's fd; `scratch` is memory of ours
 * there that it may write, INJECT_SCRATCH_BYTES.  To be closed by inject_close_file(). */
#define INJECT_SCRATCH_BYTES 256
/* Such memory below the stack of the thread that carries the calls; 0: there is none. */
taddr_t inject_scratch(const struct inject *inject);
int inject_file(struct inject *inject, int fd, taddr_t scratch, int *target_fd);
int inject_close_file(struct inject *inject, int target_fd);

#endif
