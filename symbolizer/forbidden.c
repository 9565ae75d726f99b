/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is forbidden is listed, and not what is allowed, since that differs from one C library and
 * one release to the next.  The process has the user's id: without this, code that has taken it
 * over would reach whatever else of the user's runs, and leave the limits behind.
 */
#include "sandbox.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define X32_BIT 0x40000000u
#define ALLOW SECCOMP_RET_ALLOW
#define REFUSE (SECCOMP_RET_ERRNO | EPERM)

static const uint16_t forbidden[] = {
	SYS_execve, SYS_execveat, SYS_fork, SYS_vfork, SYS_ptrace, SYS_process_vm_readv,
	SYS_process_vm_writev, SYS_kill, SYS_pidfd_open, SYS_pidfd_getfd, SYS_pidfd_send_signal,
	SYS_rt_sigqueueinfo, SYS_unshare, SYS_setns, SYS_mount, SYS_umount2, SYS_chroot,
	SYS_pivot_root, SYS_bpf, SYS_perf_event_open, SYS_userfaultfd, SYS_add_key,
	SYS_request_key, SYS_keyctl, SYS_io_uring_setup, SYS_shmget, SYS_shmat, SYS_setpriority,
	SYS_sched_setscheduler, SYS_sched_setattr, SYS_ioprio_set,
	/* Down to here whatever is configured; these unless servers are asked. */
	SYS_socket, SYS_connect,
};

#define NR_FORBIDDEN (sizeof(forbidden) / sizeof(forbidden[0]))
#define NR_NETWORK 2
#define NR_CHECKS 4

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, what)

void sandbox_forbid_calls(bool network)
{
	size_t nr = network ? NR_FORBIDDEN - NR_NETWORK : NR_FORBIDDEN;
	struct sock_filter filter[NR_CHECKS + NR_FORBIDDEN + 2] = {
		LOAD(arch),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, (uint8_t)(nr + 3)),
		LOAD(nr),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, (uint8_t)(nr + 1), 0),
	};
	struct sock_fprog program = { .len = (uint16_t)(NR_CHECKS + nr + 2), .filter = filter };

	for (size_t i = 0; i < nr; i++)
		filter[NR_CHECKS + i] = (struct sock_filter)
			BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, forbidden[i], (uint8_t)(nr - i), 0);
	filter[NR_CHECKS + nr] = (struct sock_filter)RETURN(ALLOW);
	filter[NR_CHECKS + nr + 1] = (struct sock_filter)RETURN(REFUSE);
	(void)prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}
