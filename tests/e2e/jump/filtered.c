/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * filtered WAY: allocates under a seccomp filter that kills the process.  WAY: "mmap" (what maps
 * memory), "strict" (all but what the program itself needs).
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "truth.h"

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define ON(number, action) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##number, 0, 1), \
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_##action)
#define ALL(action) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_##action)

static struct sock_filter no_mappings[] = {
	LOAD(nr), ON(mmap, KILL_PROCESS), ON(mprotect, KILL_PROCESS), ON(mremap, KILL_PROCESS),
	ON(memfd_create, KILL_PROCESS), ON(madvise, KILL_PROCESS), ON(munmap, KILL_PROCESS),
	ALL(ALLOW),
};

static struct sock_filter strict[] = {
	LOAD(nr), ON(read, ALLOW), ON(write, ALLOW), ON(brk, ALLOW), ON(exit_group, ALLOW),
	ON(restart_syscall, ALLOW), ON(rt_sigreturn, ALLOW), ALL(KILL_PROCESS),
};

int main(int argc, char **argv)
{
	struct sock_fprog program = { sizeof(no_mappings) / sizeof(no_mappings[0]), no_mappings };

	MUST(argc == 2);
	if (argv[1][0] == 's')
		program = (struct sock_fprog){ sizeof(strict) / sizeof(strict[0]), strict };
	free(malloc(100));
	MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	MUST(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
	stage("ready");
	for (int i = 1; i <= 300; i++) {
		char *block = T_MALLOC(i);		/* LIVE */

		check_block(block, i, i);
		if (i % 10)
			T_FREE(block, i);
	}
	tell_truth();
	stage("done");
	return correct();
}
