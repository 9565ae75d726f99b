/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A raw wait status of a seized thread, turned into one enum; each value says what the thread
 * is doing and what has to be done.  Source: ptrace(2), "Attaching and detaching" and
 * "Stopped states".
 */
#ifndef MEMTRACE_TARGET_STOP_H
#define MEMTRACE_TARGET_STOP_H

#include <sys/types.h>

enum stop_kind {
	STOP_NONE,	/* nothing happened: a signal to the tracer; look at its flags */
	STOP_NOBODY,	/* no thread is traced any more */
	STOP_TRAP,	/* SIGTRAP is about to be delivered: perhaps a breakpoint of ours */
	STOP_SIGNAL,	/* any other signal is about to be delivered: resume with it */
	STOP_GROUP,	/* job control stopped it: keep it so, but listen */
	STOP_EVENT,	/* our INTERRUPT, or the first stop of an automatically seized child */
	STOP_CLONE,	/* it made a thread or process; message: its id */
	STOP_FORK,	/* likewise */
	STOP_VFORK,	/* likewise; it now waits for the child's exec or exit */
	STOP_EXEC,	/* new image, all other threads gone; message: its former thread id */
	STOP_SYSCALL,	/* at the entry or the exit of a system call: a guest's, see process.h */
	STOP_EXITING,	/* about to exit, its memory still there */
	STOP_EXITED,	/* gone: value is the exit code */
	STOP_KILLED,	/* gone: value is the signal */
	STOP_OTHER,	/* nothing we asked for: resume */
};

/* value: the signal of TRAP, SIGNAL, GROUP and KILLED, the code of EXITED. */
enum stop_kind stop_decode(int wait_status, int *value);

#endif
