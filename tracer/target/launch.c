/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Starts a command under the tracer.  The child waits until it is seized, then execs; why it
 * could not comes back through a pipe that a successful exec closes.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process.h"

static void run_command(char *const *argv, void (*before_exec)(void), int go, int answer)
{
	char byte;
	int error;

	if (read(go, &byte, 1) != 1)
		_exit(1);
	before_exec();
	execvp(argv[0], argv);
	error = errno;
	if (write(answer, &error, sizeof(error)) < 0)
		_exit(1);
	_exit(127);
}

/* Waits for the exec, and leaves the thread in that stop. */
static int await_exec(struct targets *targets, int answer)
{
	struct stop stop;
	int error = 0;

	for (;;) {
		targets_next(targets, &stop);
		if (stop.kind == STOP_EXEC)
			return 0;
		if (stop.kind == STOP_NOBODY || stop.kind == STOP_EXITED ||
		    stop.kind == STOP_KILLED)
			return read(answer, &error, sizeof(error)) == sizeof(error) ? -error
										    : -ECHILD;
		if (stop.thread)
			thread_resume(stop.thread, stop.kind == STOP_SIGNAL ? stop.value : 0);
	}
}

static int seize_and_exec(struct targets *targets, pid_t pid, int go, int answer,
			  struct process **out)
{
	struct process *process;
	int error = process_create(targets, pid, &process);

	if (error)
		return error;
	process->launched = true;
	do
		error = process_seize(targets, process, NULL);
	while (error == -EAGAIN);
	if (!error && write(go, "", 1) != 1)
		error = -errno;
	if (!error)
		error = await_exec(targets, answer);
	if (error)
		process_destroy(targets, process);
	else
		*out = process;
	return error;
}

int process_launch(struct targets *targets, char *const *argv, void (*before_exec)(void),
		   struct process **out)
{
	int go[2], answer[2], error;
	pid_t pid;

	if (pipe2(go, O_CLOEXEC))
		return -errno;
	if (pipe2(answer, O_CLOEXEC)) {
		error = -errno;
		close(go[0]);
		close(go[1]);
		return error;
	}
	pid = fork();
	if (!pid) {
		close(go[1]);
		run_command(argv, before_exec, go[0], answer[1]);
	}
	error = pid < 0 ? -errno : 0;
	close(go[0]);
	close(answer[1]);
	if (!error)
		error = seize_and_exec(targets, pid, go[1], answer[0], out);
	close(go[1]);
	close(answer[0]);
	return error;
}
