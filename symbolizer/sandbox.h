/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the process that reads hostile files may still do.  It is no longer root: it is the user
 * who called memtrace (the real user, or SUDO_UID and SUDO_GID), or nobody where that is root
 * too, without groups and capabilities, for good.  So a separate debug file or a source file that
 * only root may read is not found: what a file says is worth reading is no reason to hand it out.
 * The files of the target itself come as descriptors, which need no rights.
 *
 * Where the kernel refuses another user (a container without CAP_SETUID, or one with a single
 * user), the user stays and the capabilities go.
 */
#ifndef MEMTRACE_SYMBOLIZER_SANDBOX_H
#define MEMTRACE_SYMBOLIZER_SANDBOX_H

#include <stdbool.h>

/* Before the first file is read, in a process with one thread.  Clears PR_SET_PDEATHSIG.
 * downloads: a cache of debug files may be written.  -errno: what is left to it is too much. */
int sandbox_enter(bool downloads);

/* Whether sandbox_enter() has changed the user, so that $HOME is another's. */
bool sandbox_has_other_user(void);

/* From now on system calls by which a process reaches others, starts programs or, unless
 * `network`, speaks to anybody fail with EPERM.  Where there is no seccomp nothing is done. */
void sandbox_forbid_calls(bool network);

/* Processor time of all threads until the next call of this; beyond it the process dies. */
void sandbox_allow_cpu(unsigned int seconds);

#endif
