/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Seizes all that runs in the memory of a process: its threads, and processes that share it. */
#include "process_parts.h"

#include <dirent.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "procfs.h"
#include "seize.h"

#define SEIZE_TRIES 5

/* SEIZE answers EPERM also for a thread that is about to be reaped, and for one that the
 * kernel has seized for us since its creator was; that one's first stop will tell of it. */
static bool needs_no_seize(pid_t tid)
{
	char state = procfs_state(tid, tid);

	return !state || state == 'Z' || state == 'X' ||
	       procfs_status_number(tid, "TracerPid") == getpid();
}

/* While another thread execs, the first one is refused as it is dead, and is that thread by the
 * time one looks: only who is refused again and again may not be traced. */
static int seize(pid_t tid)
{
	int error = seize_thread(tid, SEIZE_OPTIONS);

	for (int i = 0; i < SEIZE_TRIES && error == -EPERM; i++) {
		if (needs_no_seize(tid))
			return -ESRCH;
		usleep(1000);
		error = seize_thread(tid, SEIZE_OPTIONS);
	}
	return error;
}

/* 0 also for a thread that is gone. */
static int seize_as_part(struct targets *targets, struct process *process, pid_t tid,
			 size_t *added)
{
	struct thread *thread;
	int error = seize(tid);

	if (error == -ESRCH)
		return 0;
	if (error)
		return error;
	thread = thread_create(targets, tid);
	if (!thread || thread_join(process, thread))
		return -ENOMEM;
	++*added;
	if (process->holding)
		(void)do_ptrace(PTRACE_INTERRUPT, tid, 0, 0);
	return 0;
}

/* Those of a process that are not known yet; of any but the target's own they are guests. */
static int seize_pass(struct targets *targets, struct process *process, pid_t pid, size_t *added)
{
	char path[64];
	struct dirent *entry;
	int error = 0;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	tasks = opendir(path);
	if (!tasks)
		return -errno;
	while (!error && (entry = readdir(tasks))) {
		pid_t tid = atoi(entry->d_name);

		if (tid > 0 && !targets_find(targets, tid))
			error = seize_as_part(targets, process, tid, added);
		if (!error && pid != process->pid && targets_find(targets, tid))
			thread_be_guest(targets, targets_find(targets, tid));
	}
	closedir(tasks);
	return error;
}

/* A thread made by one that was not seized yet is in no event: look until two passes in a row
 * find nothing. */
static int seize_all(struct targets *targets, struct process *process, pid_t pid, size_t *added)
{
	int quiet_passes = 0, error = 0;
	size_t found;

	while (!error && quiet_passes < 2) {
		found = 0;
		error = seize_pass(targets, process, pid, &found);
		quiet_passes = found ? 0 : quiet_passes + 1;
		*added += found;
	}
	return error;
}

int process_seize(struct targets *targets, struct process *process, size_t *added)
{
	size_t total = 0;
	int error = seize_all(targets, process, process->pid, &total);

	if (added)
		*added += total;
	if (error)
		return error;
	if (!process->threads.nr)
		return -ESRCH;
	if (!targets_find(targets, process->memory.tid))
		process->memory.tid = process->threads.items[0]->tid;
	return 0;
}

int process_shares_memory(pid_t a, pid_t b)
{
	long order = syscall(SYS_kcmp, a, b, KCMP_VM, 0, 0);

	return order < 0 ? -errno : order == 0;
}

/* Does nothing to one that does not share the memory, or is known already. */
static int seize_guest(struct targets *targets, struct process *process, pid_t pid, size_t *added)
{
	int error;

	if (pid == process->pid || targets_find(targets, pid) ||
	    process_shares_memory(process->memory.tid, pid) != 1)
		return 0;
	error = seize_all(targets, process, pid, added);
	return error == -ENOENT ? 0 : error; /* it has ended */
}

static int seize_children(struct targets *targets, struct process *process, pid_t parent,
			  size_t *added)
{
	char path[64];
	FILE *children;
	pid_t child;
	int error = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", parent, parent);
	children = fopen(path, "re");
	while (children && !error && fscanf(children, "%d", &child) == 1)
		error = seize_guest(targets, process, child, added);
	if (children)
		fclose(children);
	return error;
}

int process_seize_guests(struct targets *targets, struct process *process, size_t *added)
{
	int error = 0;

	/* The array grows by those that are found: a guest may wait for one of its own. */
	for (size_t i = 0; !error && i < process->threads.nr; i++)
		error = seize_children(targets, process, process->threads.items[i]->tid, added);
	return error;
}

static int seize_strangers_pass(struct targets *targets, struct process *process, size_t *added)
{
	struct dirent *entry;
	int error = 0;
	DIR *processes = opendir("/proc");

	if (!processes)
		return -errno;
	while (!error && (entry = readdir(processes))) {
		pid_t pid = atoi(entry->d_name);

		if (pid > 0)
			error = seize_guest(targets, process, pid, added);
	}
	closedir(processes);
	return error;
}

int process_seize_strangers(struct targets *targets, struct process *process)
{
	size_t found = 1;
	int error = 0;

	while (!error && found) {
		found = 0;
		error = seize_strangers_pass(targets, process, &found);
	}
	return error;
}
