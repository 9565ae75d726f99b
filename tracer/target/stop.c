/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Decodes wait statuses.  The event, if any, is in bits 16 to 23. */
#include "stop.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

static enum stop_kind decode_event(unsigned event, int signal)
{
	switch (event) {
	case PTRACE_EVENT_STOP:
		/* Job control uses these four; our INTERRUPT shows SIGTRAP. */
		return signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN ||
				       signal == SIGTTOU ? STOP_GROUP : STOP_EVENT;
	case PTRACE_EVENT_CLONE:
		return STOP_CLONE;
	case PTRACE_EVENT_FORK:
		return STOP_FORK;
	case PTRACE_EVENT_VFORK:
		return STOP_VFORK;
	case PTRACE_EVENT_EXEC:
		return STOP_EXEC;
	case PTRACE_EVENT_EXIT:
		return STOP_EXITING;
	default:
		return STOP_OTHER;
	}
}

enum stop_kind stop_decode(int wait_status, int *value)
{
	unsigned event = (unsigned)wait_status >> 16;

	if (WIFEXITED(wait_status)) {
		*value = WEXITSTATUS(wait_status);
		return STOP_EXITED;
	}
	if (WIFSIGNALED(wait_status)) {
		*value = WTERMSIG(wait_status);
		return STOP_KILLED;
	}
	*value = WSTOPSIG(wait_status);
	if (event)
		return decode_event(event, *value);
	if (*value == (SIGTRAP | 0x80)) /* as PTRACE_O_TRACESYSGOOD marks it */
		return STOP_SYSCALL;
	return *value == SIGTRAP ? STOP_TRAP : STOP_SIGNAL;
}
