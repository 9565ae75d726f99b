/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hidden WAY [followed|visible]: makes itself not dumpable once it is told to go on, unless it is to
 * be visible; then it works, and does WAY: has threads or children work, or execs.  All of them look
 * at themselves: they are as dumpable, and their code is what it was.
 */
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "truth.h"

static unsigned long code;
static int followed, dumpable;

static int add_code(struct dl_phdr_info *info, size_t bytes, void *sum)
{
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		const unsigned char *byte = (const unsigned char *)info->dlpi_addr + segment->p_vaddr;

		if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X))
			continue;
		for (size_t k = 0; k < segment->p_filesz; k++)
			*(unsigned long *)sum = *(unsigned long *)sum * 31 + byte[k];
	}
	return 0;
}

static unsigned long sum_of_code(void)
{
	unsigned long sum = 0;

	dl_iterate_phdr(add_code, &sum);
	return sum;
}

/* Whether a file of /proc/self has these words; without any call of the allocator. */
static int has(const char *path, const char *words)
{
	static char text[1 << 16];
	int fd = open(path, O_RDONLY);
	ssize_t got, nr = 0;

	MUST(fd >= 0);
	while ((got = read(fd, text + nr, sizeof(text) - 1 - nr)) > 0)
		nr += got;
	close(fd);
	text[nr] = '\0';
	return !!strstr(text, words);
}

static void look_at_child(void)
{
	MUST(prctl(PR_GET_DUMPABLE) == dumpable);
	if (followed)
		return;
	MUST(sum_of_code() == code);
	MUST(has("/proc/self/status", "TracerPid:\t0\n"));
	MUST(!has("/proc/self/maps", "memfd:memtrace"));
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

static void expect_end(pid_t child, int value)
{
	int status;

	MUST(child > 0 && waitpid(child, &status, __WALL) == child);
	if (!WIFEXITED(status))
		say("WRONG child: signal %d\n", WTERMSIG(status));
	MUST(WIFEXITED(status) && WEXITSTATUS(status) == value);
}

static void work_in_child(void)
{
	look_at_child();
	for (int i = 1; i <= 100; i++) {
		char *block = malloc(i);	/* LIVE child */

		check_block(block, i, i);
		if (i > 1)
			free(block);
	}
	_exit(7);
}

static void in_children(void)
{
	for (int i = 0; i < 3; i++) {
		pid_t child = fork();

		if (!child)
			work_in_child();
		say("child %d\n", child);
		expect_end(child, 7);
		work();
	}
}

/* Children of its children find no breakpoints either. */
static void in_grandchild(void)
{
	pid_t child = fork();

	if (!child) {
		pid_t own = fork();

		if (!own)
			work_in_child();
		expect_end(own, 7);
		work_in_child();
	}
	expect_end(child, 7);
}

static void *work_and_end(void *unused)
{
	work();
	return unused;
}

static void in_threads(void)
{
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		MUST(pthread_create(&threads[i], NULL, work_and_end, NULL) == 0);
	for (int i = 0; i < 4; i++)
		MUST(pthread_join(threads[i], NULL) == 0);
}

/* In the same memory: what it allocates is the target's. */
static int work_and_exit(void *unused)
{
	work();
	return 5;
}

static void in_shared_memory(int flags)
{
	static char stack[1 << 16] __attribute__((aligned(16)));

	expect_end(clone(work_and_exit, stack + sizeof(stack), CLONE_VM | SIGCHLD | flags, NULL), 5);
}

static void in_programs(void)
{
	char *const words[] = { "true", NULL }, *const none[] = { NULL };
	pid_t child;

	for (int i = 0; i < 3; i++) {
		MUST(posix_spawn(&child, "/bin/true", NULL, NULL, words, none) == 0);
		expect_end(child, 0);
	}
	child = vfork();
	if (!child)
		_exit(4);
	expect_end(child, 4);
}

/* The parent waits in the kernel until its child is told to go on. */
static void in_long_vfork(void)
{
	pid_t child = vfork();

	if (!child) {
		char c = 0;

		say("inside\n");
		while (c != '\n' && read(STDIN_FILENO, &c, 1) == 1)
			;
		_exit(4);
	}
	expect_end(child, 4);
}

static void do_it(const char *way)
{
	if (strcmp(way, "fork") == 0)
		in_children();
	else if (strcmp(way, "grandchild") == 0)
		in_grandchild();
	else if (strcmp(way, "threads") == 0)
		in_threads();
	else if (strcmp(way, "clone") == 0)
		in_shared_memory(0);
	else if (strcmp(way, "vfork") == 0)
		in_shared_memory(CLONE_VFORK);
	else if (strcmp(way, "programs") == 0)
		in_programs();
	else if (strcmp(way, "long-vfork") == 0)
		in_long_vfork();
	else
		MUST(strcmp(way, "work") == 0);
}

int main(int argc, char **argv)
{
	char sum[32];
	char *const again[] = { argv[0], argv[1] + 5, sum, NULL };

	MUST(argc >= 2);
	followed = argc > 2 && strcmp(argv[2], "followed") == 0;
	dumpable = argc > 2 && strcmp(argv[2], "visible") == 0;
	/* Of one that has been executed the tracer has patched the code already. */
	code = argc > 2 && !followed && !dumpable ? strtoul(argv[2], NULL, 16) : sum_of_code();
	snprintf(sum, sizeof(sum), "%lx", code);
	if (argc < 3 || followed || dumpable)
		stage("ready");
	MUST(prctl(PR_SET_DUMPABLE, dumpable) == 0);
	if (strncmp(argv[1], "exec-", 5) == 0)
		execv("/proc/self/exe", again);
	free(T_MALLOC(1 << 20));
	truth_freed(1 << 20);
	work();
	do_it(argv[1]);
	work();
	MUST(prctl(PR_GET_DUMPABLE) == dumpable);
	tell_truth();
	stage("done");
	MUST(prctl(PR_GET_DUMPABLE) == dumpable);
	return correct();
}
