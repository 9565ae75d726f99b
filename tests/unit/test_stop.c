/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every form of wait status, made by hand and by a child of our own. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../tracer/target/stop.h"

#define EXITED(code) ((code) << 8)
#define STOPPED(signal) ((signal) << 8 | 0x7f)
#define EVENT(event, signal) ((event) << 16 | STOPPED(signal))
#define CORE_DUMPED 0x80

static void check(int status, enum stop_kind kind, int value)
{
	int got_value = -1;
	enum stop_kind got = stop_decode(status, &got_value);

	if (got != kind || got_value != value)
		fail_msg("0x%x: kind %d, value %d", (unsigned)status, got, got_value);
}

static void ends(void **state)
{
	for (int code = 0; code < 256; code++)
		check(EXITED(code), STOP_EXITED, code);
	for (int signal = 1; signal <= 64; signal++) {
		check(signal, STOP_KILLED, signal);
		check(signal | CORE_DUMPED, STOP_KILLED, signal);
	}
}

static void signals(void **state)
{
	for (int signal = 1; signal <= 64; signal++)
		check(STOPPED(signal), signal == SIGTRAP ? STOP_TRAP : STOP_SIGNAL, signal);
	/* a system call, with TRACESYSGOOD */
	check(STOPPED(SIGTRAP | 0x80), STOP_SYSCALL, SIGTRAP | 0x80);
}

static void job_control(void **state)
{
	static const int stops[] = { SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU };

	for (size_t i = 0; i < sizeof(stops) / sizeof(stops[0]); i++) {
		/* before it is delivered, and when all threads stand */
		check(STOPPED(stops[i]), STOP_SIGNAL, stops[i]);
		check(EVENT(PTRACE_EVENT_STOP, stops[i]), STOP_GROUP, stops[i]);
	}
	check(EVENT(PTRACE_EVENT_STOP, SIGTRAP), STOP_EVENT, SIGTRAP);
}

static void events(void **state)
{
	check(EVENT(PTRACE_EVENT_CLONE, SIGTRAP), STOP_CLONE, SIGTRAP);
	check(EVENT(PTRACE_EVENT_FORK, SIGTRAP), STOP_FORK, SIGTRAP);
	check(EVENT(PTRACE_EVENT_VFORK, SIGTRAP), STOP_VFORK, SIGTRAP);
	check(EVENT(PTRACE_EVENT_EXEC, SIGTRAP), STOP_EXEC, SIGTRAP);
	check(EVENT(PTRACE_EVENT_EXIT, SIGTRAP), STOP_EXITING, SIGTRAP);
	check(EVENT(PTRACE_EVENT_VFORK_DONE, SIGTRAP), STOP_OTHER, SIGTRAP);
	check(EVENT(PTRACE_EVENT_SECCOMP, SIGTRAP), STOP_OTHER, SIGTRAP);
	check(EVENT(99, SIGTRAP), STOP_OTHER, SIGTRAP);
}

static int next_status(pid_t child)
{
	int status = 0;

	assert_int_equal(waitpid(child, &status, __WALL), child);
	return status;
}

/* What the kernel really says of a seized child: interrupted, signalled, stopped, continued,
 * killed. */
static void a_real_child(void **state)
{
	pid_t child = fork();
	int value, status;

	if (!child)
		for (;;)
			pause();
	assert_true(child > 0);
	assert_int_equal(ptrace(PTRACE_SEIZE, child, 0, PTRACE_O_TRACEEXIT), 0);
	assert_int_equal(ptrace(PTRACE_INTERRUPT, child, 0, 0), 0);
	check(next_status(child), STOP_EVENT, SIGTRAP);
	kill(child, SIGUSR1);
	ptrace(PTRACE_CONT, child, 0, 0);
	check(next_status(child), STOP_SIGNAL, SIGUSR1);
	kill(child, SIGSTOP);
	ptrace(PTRACE_CONT, child, 0, 0);	/* SIGUSR1 is not delivered */
	check(next_status(child), STOP_SIGNAL, SIGSTOP);
	ptrace(PTRACE_CONT, child, 0, SIGSTOP);
	check(next_status(child), STOP_GROUP, SIGSTOP);
	ptrace(PTRACE_LISTEN, child, 0, 0);
	kill(child, SIGCONT);
	check(next_status(child), STOP_EVENT, SIGTRAP);
	kill(child, SIGKILL);
	status = next_status(child);
	if (stop_decode(status, &value) == STOP_EXITING) {
		ptrace(PTRACE_CONT, child, 0, 0);
		status = next_status(child);
	}
	check(status, STOP_KILLED, SIGKILL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends),
		cmocka_unit_test(signals),
		cmocka_unit_test(job_control),
		cmocka_unit_test(events),
		cmocka_unit_test(a_real_child),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
