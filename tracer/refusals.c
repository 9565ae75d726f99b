/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See refusals.h. */
#include "refusals.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/inert.h"
#include "command.h"
#include "denial.h"
#include "file_name.h"
#include "guard.h"
#include "target/procfs.h"
#include "target/program.h"
#include "writable.h"

#define NAME_BYTES 80
#define LAST_NS 10000000000	/* to leave a busy target may take seconds */
#define EXEC_NS 100000000

/* As ps has it, for a line of ours. */
static const char *name_of(pid_t pid, char *buffer)
{
	char *name = procfs_comm(pid);

	inert(buffer, NAME_BYTES, name ? name : "?");
	free(name);
	return buffer;
}

/* A %p that is not known yet stands for itself: the folder is the same. */
static int check_file(const char *pattern, pid_t pid, bool several, const char *what)
{
	char path[PATH_MAX];
	int error = pid ? file_name_expand(pattern, pid, several, path, sizeof(path)) : 0;

	if (!error)
		error = writable_check(pid ? path : pattern);
	if (error)
		message_error("%s: no %s can be written: %s", pid ? path : pattern, what,
			      strerror(-error));
	return error;
}

static int check_files_of(const struct options *options, pid_t pid)
{
	bool several = options->nr_pids > 1 || options->follow_forks;
	int error = 0;

	if (options->output)
		error = check_file(options->output, pid, several, "report");
	for (size_t i = 0; i < options->nr_formats && !error; i++)
		if (options->formats[i].file)
			error = check_file(options->formats[i].file, pid, several,
					   options->formats[i].stream ? "log" : "report");
	if (options->log_file && !error)
		error = check_file(options->log_file, pid, several, "log");
	return error;
}

int refusals_check_run(const struct options *options)
{
	struct utsname system;
	const char *words = uname(&system) ? NULL : denial_of_kernel(system.release);
	int error = 0;

	if (words) {
		message_error("%s", words);
		return -ENOSYS;
	}
	if (!options->nr_pids)
		return check_files_of(options, 0);
	for (size_t i = 0; i < options->nr_pids && !error; i++)
		error = check_files_of(options, options->pids[i]);
	return error;
}

static int refuse_traced(pid_t pid, const char *name, pid_t tracer)
{
	char tracer_name[NAME_BYTES];

	message_error("%s (pid %d) is already traced by %s (pid %d), and a process has one tracer "
		      "at most; end that one first", name, pid, name_of(tracer, tracer_name),
		      tracer);
	return -EPERM;
}

/* A memtrace whose guard was killed is about to leave; and whoever was killed itself lets go of its
 * targets at the very end: it has no memory by then, but it is still their tracer. */
static bool is_leaving(pid_t tracer)
{
	char *exe, *parents;
	bool orphaned;

	if (procfs_status_number(tracer, "VmSize") < 0)
		return true;
	exe = procfs_exe(tracer);
	parents = procfs_exe((pid_t)procfs_status_number(tracer, "PPid"));
	orphaned = guard_is_child(tracer) && exe && (!parents || strcmp(exe, parents));
	free(exe);
	free(parents);
	return orphaned;
}

/* It may end while it is looked at. */
static bool stays(pid_t tracer, pid_t pid)
{
	return !is_leaving(tracer) && procfs_tracer(pid) == tracer;
}

/* Who traces it and stays; 0: nobody. */
static pid_t lasting_tracer(pid_t pid)
{
	const struct timespec pause = { .tv_nsec = 5000000 };
	uint64_t began_ns = clock_ns();
	pid_t tracer;

	while ((tracer = procfs_tracer(pid)) && !stays(tracer, pid) &&
	       clock_ns() - began_ns < LAST_NS)
		nanosleep(&pause, NULL);
	return tracer;
}

bool refusals_tracer_leaves(pid_t pid)
{
	return !lasting_tracer(pid);
}

/* While a thread's exec replaces all the others, there may seem to be none; 0: it has ended. */
static pid_t any_thread(pid_t pid)
{
	const struct timespec pause = { .tv_nsec = 5000000 };
	uint64_t began_ns = clock_ns();
	pid_t tid;

	while (!(tid = procfs_live_thread(pid)) && clock_ns() - began_ns < EXEC_NS)
		nanosleep(&pause, NULL);
	return tid;
}

/* Nobody can hold who holds him. */
static bool traces_us(pid_t pid)
{
	return procfs_tracer(getpid()) == pid || procfs_tracer(getppid()) == pid;
}

/* Its parent has to wait(2) for it. */
static int refuse_ended(pid_t pid, const char *name)
{
	long parent = procfs_status_number(pid, "PPid");
	char parent_name[NAME_BYTES];

	if (parent < 0)
		message_error("pid %d: no such process any more", pid);
	else
		message_error("%s (pid %d) has ended: it is a zombie, of which only its status is "
			      "left, for its parent %s (pid %ld)", name, pid,
			      name_of((pid_t)parent, parent_name), parent);
	return -ESRCH;
}

static int refuse_kind(const char *name, enum program_kind kind)
{
	message_error("%s is %s program: memtrace traces 64-bit programs only", name,
		      kind == PROGRAM_X32 ? "an x32" : "a 32-bit");
	return -ENOTSUP;
}

/* Opening the memory is asked for the same permission as attaching, and does nothing. */
static int check_permission(pid_t pid, pid_t tid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", tid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	else
		refusals_tell(pid, NULL, -errno);
	return fd < 0 ? -errno : 0;
}

int refusals_check_process(pid_t pid)
{
	char name[NAME_BYTES], shown[NAME_BYTES + 32];
	pid_t tid = any_thread(pid), tracer;
	enum program_kind kind;

	name_of(pid, name);
	if (!tid)
		return refuse_ended(pid, name);
	if (procfs_is_kernel_thread(pid)) {
		message_error("%s (pid %d) is a kernel thread: it has no program to trace", name,
			      pid);
		return -ENOTSUP;
	}
	if (traces_us(pid)) {
		message_error("%s (pid %d) traces this memtrace: each would wait for the other",
			      name, pid);
		return -EDEADLK;
	}
	tracer = lasting_tracer(pid);
	if (tracer)
		return refuse_traced(pid, name, tracer);
	kind = program_of_process(tid);
	snprintf(shown, sizeof(shown), "%s (pid %d)", name, pid);
	if (kind == PROGRAM_32_BIT || kind == PROGRAM_X32)
		return refuse_kind(shown, kind);
	return check_permission(pid, tid);
}

void refusals_tell(pid_t pid, const char *command, int error)
{
	char words[512], name[NAME_BYTES];
	pid_t tracer = pid ? procfs_tracer(pid) : 0;
	struct denial denial;

	if (error == -EPERM && tracer) {	/* it has come just now */
		(void)refuse_traced(pid, name_of(pid, name), tracer);
	} else if (error == -EPERM || error == -EACCES) {
		denial_gather(&denial, pid);
		message_error("%s", denial_words(&denial, words, sizeof(words)));
	} else if (!pid) {
		message_error("%s cannot be traced: %s", command, strerror(-error));
	} else if (error == -ESRCH || error == -ENOENT) {
		message_error("pid %d: no such process any more", pid);
	} else {
		message_error("pid %d cannot be traced: %s", pid, strerror(-error));
	}
}

static int refuse_command(const char *name, const char *path, int error)
{
	if (error == -ENOENT && !strchr(name, '/'))
		message_error("%s: no such command in PATH", name);
	else if (error == -EISDIR)
		message_error("%s: it is a folder, and no command", path);
	else if (error == -EACCES && !access(path, F_OK))
		message_error("%s: it is not executable: chmod +x, or name its interpreter before "
			      "it", path);
	else
		message_error("%s: %s", name, strerror(-error));
	return error;
}

static int check_script(const char *path, const char *interpreter)
{
	char shown[PROGRAM_INTERPRETER_MAX];

	inert(shown, sizeof(shown), interpreter);
	if (access(interpreter, F_OK)) {
		message_error("%s: its interpreter %s is not there", path, shown);
		return -ENOEXEC;
	}
	message_info("%s is a script: what is traced is %s, and with -f what that starts", path,
		     shown);
	return 0;
}

/* What the kernel does not give to a program that somebody without the capability traces. */
static const char *privilege_of(const char *path)
{
	struct stat status;

	if (procfs_capable(getpid(), CAP_SYS_PTRACE) || stat(path, &status))
		return NULL;
	if (status.st_mode & S_ISUID && status.st_uid != geteuid())
		return "set-user-ID";
	if ((status.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
	    status.st_gid != getegid())
		return "set-group-ID";
	return getxattr(path, "security.capability", NULL, 0) > 0 ? "given capabilities" : NULL;
}

static void warn_of_privilege(const char *path)
{
	const char *privilege = privilege_of(path);

	if (privilege)
		message_warn("%s is %s, and gets no privilege while it is traced; start it as "
			     "usual, then `sudo memtrace -p PID`", path, privilege);
}

static bool has_switched_off(const char *variable)
{
	const char *value = getenv(variable);

	return value && (strstr(value, "detect_leaks=0") || strstr(value, "detect_leaks=false") ||
			 strstr(value, "detect_leaks=no"));
}

/* Its leak check is a tracer of its own. */
static int check_checkers(const char *path, struct files *files)
{
	const char *variable = "LSAN_OPTIONS";
	char real[PATH_MAX];
	int fd = realpath(path, real) ? open(real, O_RDONLY | O_CLOEXEC) : -1;
	/* By that path it stays known, and its debug file is looked for. */
	const struct file *file = fd < 0 ? NULL : files_get(files, fd, real);
	uint32_t runtimes = file && file->known ? file->elf.runtimes : 0;

	if (fd >= 0)
		close(fd);
	if (!(runtimes & (RUNTIME_ASAN | RUNTIME_LSAN)) || has_switched_off("ASAN_OPTIONS") ||
	    has_switched_off(variable))
		return 0;
	if (runtimes & RUNTIME_ASAN)
		variable = "ASAN_OPTIONS";
	message_error("%s is built with %sSanitizer, whose leak check at the exit fails under any "
		      "tracer; run it with %s=detect_leaks=0", path,
		      runtimes & RUNTIME_ASAN ? "Address" : "Leak", variable);
	return -ENOTSUP;
}

int refusals_check_command(const struct options *options, struct files *files)
{
	char path[PATH_MAX] = "", interpreter[PROGRAM_INTERPRETER_MAX];
	const char *name = options->command[0];
	int error = command_find(name, path, sizeof(path));
	enum program_kind kind;

	if (error)
		return refuse_command(name, path, error);
	warn_of_privilege(path);
	kind = program_kind(path, interpreter);
	switch (kind) {
	case PROGRAM_32_BIT:
	case PROGRAM_X32:
		return refuse_kind(path, kind);
	case PROGRAM_SCRIPT:
		return check_script(path, interpreter);
	case PROGRAM_OTHER:
		return check_script(path, "/bin/sh");
	case PROGRAM_NATIVE:
		return check_checkers(path, files);
	case PROGRAM_UNKNOWN:
		break;
	}
	return 0;
}
