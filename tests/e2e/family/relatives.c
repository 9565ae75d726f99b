/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * relatives WAY: another process in the same memory that lives on and allocates, with arena.c,
 * which needs no thread's own data.  A "?" in the input: it must come on from here; a "!": one that
 * is a thread of a child becomes another program.  WAY:
 *   child       made by clone(CLONE_VM)
 *   sibling     likewise, with CLONE_PARENT
 *   orphan      a child's child; the child has ended
 *   threads     a child that has a thread
 * and with "late" before it one that is made after the first line of input.
 */
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "truth.h"

#define STACK_BYTES (256 << 10)

static char stacks[2][STACK_BYTES] __attribute__((aligned(16)));
static volatile int over, ended, leaving;
static pid_t relative;
static volatile unsigned long steps[2];

static int work(void *number)
{
	long own = (long)number;

	while (!over) {
		if (own && leaving)
			execl("/bin/true", "true", NULL);
		for (int i = 0; i < 100; i++) {
			size_t size = i * 7 + 1;
			char *block = malloc(size);

			check_block(block, size, i);
			block = realloc(block, size * 2);
			MUST(block && filled(block, size, i));
			free(block);
		}
		steps[own]++;
	}
	__atomic_add_fetch(&ended, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_exit, 0);
	return 0;
}

static pid_t make(int (*function)(void *), long number, int flags)
{
	pid_t made = clone(function, stacks[number] + STACK_BYTES, CLONE_VM | flags,
			   (void *)number);

	MUST(made > 0);
	return made;
}

static int make_orphan(void *unused)
{
	say("relative %d\n", make(work, 1, SIGCHLD));
	syscall(SYS_exit, 0); /* not the C library's: what it would clean up is the parent's */
	return 0;
}

static int work_with_thread(void *number)
{
	make(work, 1, CLONE_THREAD | CLONE_SIGHAND | CLONE_FS | CLONE_FILES);
	return work(number);
}

/* Which of the two places work: a mask. */
static int begin(const char *way)
{
	int status;
	pid_t child;

	if (strcmp(way, "orphan") == 0) {
		child = make(make_orphan, 0, SIGCHLD);
		MUST(waitpid(child, &status, 0) == child);
		return 2;
	}
	if (strcmp(way, "threads") == 0) {
		relative = make(work_with_thread, 0, SIGCHLD);
		say("relative %d\n", relative);
		return 3;
	}
	say("relative %d\n", make(work, 0, strcmp(way, "sibling") == 0 ? CLONE_PARENT | SIGCHLD
									: SIGCHLD));
	return 1;
}

static void check_come_on(int mask)
{
	for (int i = 0; i < 2; i++) {
		unsigned long before = steps[i];

		for (int tries = 0; mask & 1 << i && steps[i] < before + 3; tries++) {
			MUST(tries < 20000);
			usleep(1000);
		}
	}
}

static void let_leave(void)
{
	int status;

	leaving = 1;
	MUST(waitpid(relative, &status, 0) == relative && status == 0);
	say("has left\n");
}

int main(int argc, char **argv)
{
	int mask;
	char c;

	MUST(argc >= 2);
	if (argc > 2)
		stage("early");
	mask = begin(argv[1]);
	check_come_on(mask);
	say("ready\n");
	while (read(STDIN_FILENO, &c, 1) == 1 && c != '\n') {
		if (c == '!') {
			let_leave();
			return correct();
		}
		check_come_on(mask);
		say("all come on\n");
	}
	over = 1;
	for (int tries = 0; ended < (mask & 1) + (mask >> 1); tries++) {
		MUST(tries < 20000);
		usleep(1000);
	}
	return correct();
}
