/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bringing a process to a halt and letting it go: the attach and the detach of one run.  Both
 * measure for how long its threads stood still.  One thread.
 */
#ifndef MEMTRACE_ATTACH_H
#define MEMTRACE_ATTACH_H

#include "trace.h"

/* To a running process.  On failure nothing is traced.  -ENOEXEC: see run_why_nothing(). */
int attach_run(struct trace *trace, struct run *run);

/* Holds the process, patches what is new in it, and lets it go on.  -ENOTSUP: see probe_arm(). */
int attach_arm(struct trace *trace, struct run *run);

/* The same for a command before its first instruction, which it does not come to where that is
 * -ENOTSUP: it has been killed. */
int attach_command(struct trace *trace, struct run *run);

/* Runs that want to be armed, or looked at: to be called whenever trace->attention is set. */
void attach_serve(struct trace *trace);

/* The run is to be watched, or not any more, as trace->memleak says: its threads stay traced.
 * False: it could not be done, and the user was told. */
bool attach_switch(struct trace *trace, struct run *run);

/* Nothing is watched for a while, as at memleak = 0, and then it is again.  Results as above. */
bool attach_pause(struct trace *trace, struct run *run);
bool attach_go_on(struct trace *trace, struct run *run);

/* Restores every byte and lets every thread go; does nothing if the process has ended. */
void detach_run(struct trace *trace, struct run *run);

#endif
