/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A child of ours as the target: it works until it may end, is seized and held meanwhile, and
 * says by its exit status what it noticed.  Included once a program.
 */
#ifndef MEMTRACE_TESTS_HELD_CHILD_H
#define MEMTRACE_TESTS_HELD_CHILD_H

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../tracer/target/memory.h"
#include "../../tracer/target/parachute.h"
#include "../../tracer/target/process.h"

/* No program uses all of it. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"

static struct targets targets;
static struct parachute_code code;
static struct shared {			/* with the child */
	volatile int ready;		/* so many of its threads */
	volatile int go, handlers_go;
} *shared;

/* The child's side. */

static void is_ready(void)
{
	__atomic_fetch_add(&shared->ready, 1, __ATOMIC_RELAXED);
}

/* Not by a system call, which a filter might forbid. */
static void wait_to_go(const volatile int *go)
{
	is_ready();
	while (!*go)
		;
}

/* 7: it came to its end. */
static int waits(void)
{
	wait_to_go(&shared->go);
	return 7;
}

/* Of either side. */
static void wait_for(int nr_ready)
{
	for (int i = 0; shared->ready < nr_ready && i < 5000; i++)
		usleep(1000);
	assert_int_equal(shared->ready, nr_ready);
	usleep(5000); /* from there into the loops */
}

/* The tracer's. */

/* It ends with what `work` returns. */
static pid_t start(int (*work)(void), int nr_ready)
{
	pid_t pid;

	memset(shared, 0, sizeof(*shared));
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		alarm(30); /* should we fail */
		syscall(SYS_exit, work()); /* the one that strict mode allows */
	}
	wait_for(nr_ready);
	return pid;
}

static void next(struct process *process)
{
	struct stop stop;

	targets_next(&targets, &stop);
	if (!stop.thread)
		return;
	if (stop.kind == STOP_EXITED || stop.kind == STOP_KILLED) {
		process->end = stop.kind;
		process->end_value = stop.value;
		thread_forget(&targets, stop.thread);
		return;
	}
	if (stop.kind == STOP_EXITING)
		thread_exiting(stop.thread);
	thread_resume(stop.thread, stop.kind == STOP_SIGNAL ? stop.value : 0);
}

static void hold_all(struct process *process, bool accept_parked)
{
	process_hold(process);
	while (!process_all_held(process, accept_parked))
		next(process);
}

static struct process *seize(pid_t pid)
{
	struct process *process;

	assert_int_equal(process_create(&targets, pid, &process), 0);
	assert_int_equal(process_seize(&targets, process, NULL), 0);
	assert_int_equal(memory_open(&process->memory, pid), 0);
	return process;
}

static struct process *hold(pid_t pid)
{
	struct process *process = seize(pid);

	hold_all(process, false);
	return process;
}

static void await_end(struct process *process, int kind, int value)
{
	while (process->threads.nr)
		next(process);
	assert_int_equal(process->end, kind);
	assert_int_equal(process->end_value, value);
	process_destroy(&targets, process);
}

static void finish(struct process *process, int kind, int value)
{
	shared->handlers_go = shared->go = 1;
	process_release(process);
	await_end(process, kind, value);
}

static unsigned count_files(pid_t pid)
{
	char path[64];
	unsigned nr = 0;
	DIR *files;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	files = opendir(path);
	assert_non_null(files);
	while (readdir(files))
		nr++;
	closedir(files);
	return nr;
}

/* Of the group of tests. */

static int setup(void **state)
{
	struct memory memory;

	alarm(60);
	targets_init(&targets);
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED || memory_open(&memory, getpid()))
		return -1;
	code = parachute_find(&memory);
	memory_close(&memory);
	return code.syscall && code.restorer ? 0 : -1;
}

static int teardown(void **state)
{
	targets_deinit(&targets);
	return munmap(shared, 4096);
}

#pragma GCC diagnostic pop

#endif
