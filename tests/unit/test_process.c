/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Events of threads that are killed before anybody has looked at what they tell. */
#include <pthread.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "held_child.h"

static void *fork_once(void *unused)
{
	wait_to_go(&shared->go);
	if (!syscall(SYS_fork)) /* that of the C library takes a lock */
		_exit(0);
	wait_to_go(&shared->handlers_go);
	return unused;
}

static int forks_in_two_threads(void)
{
	pthread_t other;

	if (pthread_create(&other, NULL, fork_once, NULL))
		return 1;
	fork_once(NULL);
	return 0;
}

static void await_event(pid_t tid, int event)
{
	siginfo_t info = { 0 };

	for (int i = 0; i < 5000; i++) {
		if (!ptrace(PTRACE_GETSIGINFO, tid, 0, &info) &&
		    info.si_code == (SIGTRAP | event << 8))
			return;
		usleep(1000);
	}
	fail_msg("thread %d is in no event %d", tid, event);
}

/* The children's own stops may come before or between. */
static void next_fork(struct stop *stop)
{
	do
		targets_next(&targets, stop);
	while (stop->kind != STOP_FORK);
}

/* What the second one tells is then the process's exit status: 9, the number of some process. */
static void killed_in_an_event(void **state)
{
	pid_t pid = start(forks_in_two_threads, 2);
	struct process *process = seize(pid);
	struct stop stop, told = { .kind = STOP_NONE };
	pid_t tids[2];
	unsigned long children[2];

	assert_int_equal(process->threads.nr, 2);
	shared->go = 1;
	for (int i = 0; i < 2; i++) {
		tids[i] = process->threads.items[i]->tid;
		await_event(tids[i], PTRACE_EVENT_FORK);
		assert_int_equal(ptrace(PTRACE_GETEVENTMSG, tids[i], 0, &children[i]), 0);
	}
	next_fork(&told);
	assert_true(told.message == children[0] || told.message == children[1]);
	kill(pid, SIGKILL);
	for (int i = 0; i < 2; i++)
		await_event(tids[i], PTRACE_EVENT_EXIT);
	while (process->threads.nr) {
		targets_next(&targets, &stop);
		assert_int_not_equal(stop.kind, STOP_FORK);
		if (stop.kind == STOP_EXITING)
			thread_resume(stop.thread, 0);
		else if (stop.kind == STOP_EXITED || stop.kind == STOP_KILLED)
			thread_forget(&targets, stop.thread);
	}
	process_destroy(&targets, process);
	for (int i = 0; i < 2; i++) {
		kill((pid_t)children[i], SIGKILL);
		waitpid((pid_t)children[i], NULL, __WALL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(killed_in_an_event),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
