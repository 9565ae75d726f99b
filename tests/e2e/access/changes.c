/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * changes WAY [late]: what others may do to it changes, before "ready" or, if late, once it is told
 * to go on; then it does counted work, and has a fork child do some.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "truth.h"

#define NOBODY 65534

static bool may_fork = true;

static void limit(int resource, rlim_t value)
{
	struct rlimit limit = { value, value };

	MUST(setrlimit(resource, &limit) == 0);
}

static void fill_descriptors(void)
{
	limit(RLIMIT_NOFILE, 20);
	while (open("/dev/null", O_RDONLY) >= 0)
		;
}

static rlim_t mapped_bytes(void)
{
	char text[64] = "";
	int fd = open("/proc/self/statm", O_RDONLY);

	MUST(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	return strtoul(text, NULL, 10) * 4096;
}

static void own_mounts(void)
{
	MUST(unshare(CLONE_NEWNS) == 0);
	MUST(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
}

static void change(const char *way)
{
	if (strcmp(way, "dumpable") == 0) {
		MUST(prctl(PR_SET_DUMPABLE, 0) == 0);
	} else if (strcmp(way, "user") == 0) {
		MUST(setresgid(NOBODY, NOBODY, NOBODY) == 0);
		MUST(setresuid(NOBODY, NOBODY, NOBODY) == 0);
	} else if (strcmp(way, "user-namespace") == 0) {
		MUST(unshare(CLONE_NEWUSER) == 0);
	} else if (strcmp(way, "pid-namespace") == 0) {
		MUST(unshare(CLONE_NEWPID) == 0);
	} else if (strcmp(way, "all-namespaces") == 0) {
		own_mounts();
		MUST(unshare(CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWUTS) == 0);
	} else if (strcmp(way, "unmounted") == 0) {
		own_mounts();
		MUST(mount("none", "/usr", "tmpfs", 0, NULL) == 0);
		MUST(mount("none", "/tmp", "tmpfs", 0, NULL) == 0);
	} else if (strcmp(way, "chroot") == 0) {
		MUST(chroot("/proc/self/fdinfo") == 0 && chdir("/") == 0);
	} else if (strcmp(way, "strict") == 0) {
		may_fork = false;
		MUST(prctl(PR_SET_SECCOMP, 1) == 0);
	} else if (strcmp(way, "clock") == 0) {
		MUST(prctl(PR_SET_TSC, PR_TSC_SIGSEGV) == 0);
	} else if (strcmp(way, "space") == 0) {
		may_fork = false;
		limit(RLIMIT_AS, mapped_bytes() + (64 << 10));
	} else if (strcmp(way, "descriptors") == 0) {
		fill_descriptors();
	} else if (strcmp(way, "processes") == 0) {
		may_fork = false;
		limit(RLIMIT_NPROC, 0);
	} else if (strcmp(way, "locked") == 0) {
		MUST(mlockall(MCL_CURRENT | MCL_FUTURE) == 0);
	} else if (strcmp(way, "no-writing") == 0) {
		limit(RLIMIT_FSIZE, 0);
	} else {
		MUST(!way);
	}
}

static void work(void)
{
	for (int i = 1; i <= 300; i++) {
		char *block = T_MALLOC(i);	/* LIVE */

		check_block(block, i, i);
		if (i % 3)
			T_FREE(block, i);
	}
}

static void have_child_work(void)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		for (int i = 1; i <= 100; i++) {
			char *block = malloc(i);

			check_block(block, i, i);
			free(block);
		}
		_exit(7);
	}
	MUST(child > 0 && waitpid(child, &status, 0) == child);
	if (!WIFEXITED(status))
		say("WRONG child: signal %d\n", WTERMSIG(status));
	MUST(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

int main(int argc, char **argv)
{
	MUST(argc >= 2);
	free(malloc(200 << 10));		/* no system call is needed from here on */
	free(malloc(100));
	if (argc == 2)
		change(argv[1]);
	stage("ready");
	if (argc > 2)
		change(argv[1]);
	work();
	if (may_fork)
		have_child_work();
	work();
	tell_truth();
	stage("done");
	correct();
	syscall(SYS_exit, 0);
}
