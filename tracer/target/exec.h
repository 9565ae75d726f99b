/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an execve(2) is about to run.  A program whose file gives it rights, by set-id bits or
 * capabilities, does not get them while it is traced by somebody who has no CAP_SYS_PTRACE: who
 * traces it must let it go at the entry of the call.
 */
#ifndef MEMTRACE_TARGET_EXEC_H
#define MEMTRACE_TARGET_EXEC_H

#include "process.h"

/* The thread, stopped at the entry or the exit of a system call, is about to run such a file.
 * False also where that cannot be found out.  An interpreter that a script names is not looked at. */
bool exec_gives_rights(const struct thread *thread);

#endif
