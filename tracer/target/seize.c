/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel restarts the call after every handler, so a handler has to jump out of it. */
#include "seize.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <unistd.h>

#include "procfs.h"

#define TICKS_MOST 3

static sigjmp_buf away;
static volatile sig_atomic_t ticks_left;	/* 0: there is no call under way */

void seize_on_tick(void)
{
	if (ticks_left && !--ticks_left)
		siglongjmp(away, 1);
}

int seize_thread(pid_t tid, unsigned long options)
{
	int error;

	/* The tick may have come just when it was done. */
	if (sigsetjmp(away, 1))
		return procfs_status_number(tid, "TracerPid") == getpid() ? 0 : -EAGAIN;
	ticks_left = TICKS_MOST;
	error = ptrace(PTRACE_SEIZE, tid, 0, options) ? -errno : 0;
	ticks_left = 0;
	return error;
}
