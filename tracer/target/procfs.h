/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Small facts from /proc/PID, proc(5).  They may be out of date when they arrive; every
 * caller can live with that.
 *
 * procfs_state(), procfs_in_system_call() and procfs_signal_pending() are async-signal-safe.
 */
#ifndef MEMTRACE_TARGET_PROCFS_H
#define MEMTRACE_TARGET_PROCFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* State letter of a thread: R, S, D, T, t, Z...; 0 if it is gone. */
char procfs_state(pid_t pid, pid_t tid);
/* Blocked inside a system call, rather than on a page fault of its own code. */
bool procfs_in_system_call(pid_t pid, pid_t tid);
/* Stack pointer and pc of a thread that is blocked in a system call. */
bool procfs_blocked_at(pid_t pid, pid_t tid, uint64_t *sp, uint64_t *pc);
/* In the thread's own queue of pending signals. */
bool procfs_signal_pending(pid_t pid, pid_t tid, int signal);
/* One is pending that the thread does not block. */
bool procfs_signal_deliverable(pid_t tid);
/* The processor on which a thread last ran; -1 if unknown. */
int procfs_last_cpu(pid_t pid, pid_t tid);
/* Processor time that a thread has had; 0 if unknown. */
uint64_t procfs_cpu_ns(pid_t pid, pid_t tid);
/* A number from /proc/PID/status, by its key ("Tgid", "PPid", "TracerPid"); -1 if unknown. */
long procfs_status_number(pid_t pid, const char *key);
/* It has this capability, of <linux/capability.h>, in its user namespace. */
bool procfs_capable(pid_t pid, unsigned capability);
/* Its user and group are ours, and it has no capability that we do not have. */
bool procfs_is_ours(pid_t pid);
/* It is one of the kernel's own, without memory. */
bool procfs_is_kernel_thread(pid_t pid);
/* A thread that has not ended, the first one if possible: a leader that has has no memory and no
 * maps.  0: all have, or there is no such process. */
pid_t procfs_live_thread(pid_t pid);
/* Who traces any of its threads; 0: nobody. */
pid_t procfs_tracer(pid_t pid);
/* A variable that it was started with, as NAME=; true if it has one of `values`, which end with a
 * NULL.  False also where that may not be looked at. */
bool procfs_was_started_with(pid_t pid, const char *variable, const char *const *values);
/* What the machine could give to programs without swapping, in bytes; INT64_MAX if unknown. */
int64_t procfs_available_bytes(void);
/* Resident set in bytes; 0 if unknown. */
uint64_t procfs_rss_bytes(pid_t pid);
/* Where /proc/PID/exe points; NULL if unknown.  The caller frees it. */
char *procfs_exe(pid_t pid);
/* The name that ps shows, cut to 15 bytes; NULL if unknown.  The caller frees it. */
char *procfs_comm(pid_t pid);
/* /proc/PID/cmdline as a NULL-terminated vector in one block; NULL if unknown or empty. */
char **procfs_command(pid_t pid);

#endif
