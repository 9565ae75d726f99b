/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * System calls run in a thread whose memory cannot be written: it has no parachute, and the syscall
 * instruction is the one that it comes from.
 */
#include "access.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "procfs.h"

static int set_dumpable(struct injection *injection, long value)
{
	const uint64_t arguments[6] = { PR_SET_DUMPABLE, (uint64_t)value };
	int64_t result = 0;
	int error = injection_call(injection, SYS_prctl, arguments, &result);

	return error ? error : (int)result;
}

/* What it is to be again: 2, of the kernel's own making, could not be set by anybody. */
static int check_not_dumpable(struct injection *injection)
{
	const uint64_t arguments[6] = { PR_GET_DUMPABLE };
	int64_t result = -1;
	int error = injection_call(injection, SYS_prctl, arguments, &result);

	return error ? error : result ? -EPERM : 0;
}

int access_give(struct injection *injection)
{
	int error = procfs_is_ours(injection->thread->tid) ? 0 : -EPERM;

	if (!error)
		error = check_not_dumpable(injection);
	return error ? error : set_dumpable(injection, 1);
}

void access_take_back(struct injection *injection)
{
	(void)set_dumpable(injection, 0);
}

int access_open(struct access *access, struct targets *targets, struct thread *thread)
{
	struct parachute_code code = { 0 };
	arch_regs regs;
	int error;

	if (!thread_await_first_stop(targets, thread))
		return -ESRCH;
	error = thread_get_regs(thread, &regs);
	if (error)
		return error;
	code.syscall = arch_syscall_behind(&regs);
	if (!code.syscall)
		return -EPERM;
	thread->stopped_by = STOP_EVENT;
	thread->held = true;
	error = injection_begin(&access->injection, targets, thread, &code);
	if (error)
		return error;
	error = access_give(&access->injection);
	if (error)
		(void)injection_end(&access->injection);
	thread->held = !error;
	return error;
}

void access_close(struct access *access)
{
	access_take_back(&access->injection);
	(void)injection_end(&access->injection);
	access->injection.thread->held = false;
}
