/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ptrace_floor N: prints what one stop at a breakpoint costs at the least, in ns: a loop of
 * waitpid, GETREGS, 4 KiB of the stack, SETREGS and CONT, on a child that runs into int3 N
 * times, with both on one core.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e9 + time.tv_nsec;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void pin(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("sched_setaffinity");
}

static void child(long n)
{
	char room[8192];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	for (long i = 0; i <= n; i++)
		__asm__ volatile("int3" : : "r"(room) : "memory");
	_exit(0);
}

static void serve(pid_t pid)
{
	static char stack[4096];
	struct user_regs_struct regs;
	struct iovec local = { stack, sizeof(stack) }, remote;

	if (ptrace(PTRACE_GETREGS, pid, NULL, &regs))
		die("GETREGS");
	remote = (struct iovec){ (void *)regs.rsp, sizeof(stack) };
	if (process_vm_readv(pid, &local, 1, &remote, 1, 0) != (ssize_t)sizeof(stack))
		die("process_vm_readv");
	if (ptrace(PTRACE_SETREGS, pid, NULL, &regs))
		die("SETREGS");
	if (ptrace(PTRACE_CONT, pid, NULL, NULL))
		die("CONT");
}

int main(int argc, char **argv)
{
	long n = argc > 1 ? atol(argv[1]) : 20000;
	double start = 0;
	int status;
	pid_t pid;

	pin();
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0)
		child(n);
	for (long i = 0; i <= n; i++) {		/* the first stop is not timed */
		if (waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status))
			die("waitpid");
		if (i == 0)
			start = now_ns();
		serve(pid);
	}
	printf("%.1f\n", (now_ns() - start) / n);
	waitpid(pid, &status, __WALL);
	return 0;
}
