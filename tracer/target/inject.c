/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The calls themselves.  A descriptor travels through a socket pair made in the target: the
 * tracer takes one end by pidfd_getfd(2) and sends, so neither side's file system, process ids
 * or rights to /proc matter.
 */
#include "inject.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "access.h"
#include "maps.h"
#include "procfs.h"

/* Inside a restartable sequence the kernel would end the section, and a return to its middle
 * would go on without what protects it (rseq(2)). */
static bool may_carry(const struct thread *thread)
{
	return !thread->exiting && !thread_in_rseq(thread);
}

/* The kernel's or the C library's, whose descriptor of the thread fs points to.  Any other may be
 * tiny, with a neighbour's memory below: goroutines, coroutines, alternate stacks. */
static bool is_on_own_stack(const struct thread *thread, const struct maps *maps)
{
	arch_regs regs;

	if (thread_get_regs(thread, &regs))
		return false;
	for (size_t i = 0; i < maps->nr; i++) {
		const struct mapping *mapping = &maps->items[i];

		if (regs.rsp >= mapping->start && regs.rsp < mapping->end)
			return !strcmp(mapping->path, "[stack]") ||
			       (regs.fs_base >= regs.rsp && regs.fs_base < mapping->end);
	}
	return false;
}

static int begin_with(struct inject *inject, struct targets *targets, struct process *process,
		      const struct parachute_code *code, const struct maps *maps)
{
	int error = -EAGAIN;

	/* A guest shares the memory, and may be the only one that does not wait in the kernel. */
	for (int guests = 0; guests < 2; guests++)
		for (size_t i = 0; error == -EAGAIN && i < process->threads.nr; i++) {
			struct thread *thread = process->threads.items[i];

			if (thread->guest == guests && may_carry(thread) &&
			    (!maps || is_on_own_stack(thread, maps)))
				error = injection_begin(&inject->injection, targets, thread, code);
		}
	return error;
}

/* On a stack that may have no room for a parachute, rather without. */
static int begin(struct inject *inject, struct targets *targets, struct process *process,
		 const struct parachute_code *code)
{
	const struct parachute_code without = { .syscall = code->syscall };
	struct maps maps;
	int error = maps_of(&maps, &process->memory);

	if (error)
		return error;
	error = begin_with(inject, targets, process, code, &maps);
	if (error == -EAGAIN)
		error = begin_with(inject, targets, process, &without, NULL);
	maps_release(&maps);
	return error;
}

/* The strict mode, too. */
static int lift_filter(struct inject *inject)
{
	struct thread *thread = inject->injection.thread;
	long mode = procfs_status_number(thread->tid, "Seccomp");

	if (!mode)
		return 0;
	/* Unknown: better not to be tried without. */
	if (thread_suspend_seccomp(thread, true))
		return -EACCES;
	inject->unfiltered = true;
	return 0;
}

int inject_open(struct inject *inject, struct targets *targets, struct process *process,
		const struct parachute_code *code)
{
	int error;

	memset(inject, 0, sizeof(*inject));
	if (!code->syscall)
		return -ENOSYS;
	error = begin(inject, targets, process, code);
	if (error)
		return error;
	error = lift_filter(inject);
	if (error)
		(void)inject_close(inject);
	return error;
}

int inject_close(struct inject *inject)
{
	int error = injection_end(&inject->injection);

	if (inject->unfiltered)
		(void)thread_suspend_seccomp(inject->injection.thread, false);
	return error;
}

static int call(struct inject *inject, long number, const uint64_t arguments[6], int64_t *result)
{
	int error = injection_call(&inject->injection, number, arguments, result);

	if (!error && *result < 0 && *result >= -4095)
		error = (int)*result;
	return error;
}

int inject_map(struct inject *inject, taddr_t address, size_t bytes, int protection, int flags,
	       int target_fd, uint64_t offset, taddr_t *out)
{
	const uint64_t arguments[6] = {
		address, bytes, (uint64_t)protection, (uint64_t)flags, (uint64_t)(int64_t)target_fd,
		offset,
	};
	int64_t result = 0;
	int error = call(inject, SYS_mmap, arguments, &result);

	if (!error)
		*out = (taddr_t)result;
	return error;
}

int inject_unmap(struct inject *inject, taddr_t address, size_t bytes)
{
	const uint64_t arguments[6] = { address, bytes };
	int64_t result;

	return call(inject, SYS_munmap, arguments, &result);
}

int inject_advise(struct inject *inject, taddr_t address, size_t bytes, int advice)
{
	const uint64_t arguments[6] = { address, bytes, (uint64_t)advice };
	int64_t result;

	return call(inject, SYS_madvise, arguments, &result);
}

int inject_close_file(struct inject *inject, int target_fd)
{
	const uint64_t arguments[6] = { (uint64_t)target_fd };
	int64_t result;

	return call(inject, SYS_close, arguments, &result);
}

bool inject_may_read_clock(struct inject *inject)
{
	const uint64_t arguments[6] = { PR_GET_TSC, inject_scratch(inject) };
	const struct memread *memory = &inject->injection.thread->process->memory.read;
	int mode = PR_TSC_ENABLE;
	int64_t result;

	return !arguments[1] || call(inject, SYS_prctl, arguments, &result) ||
	       !memread_exact(memory, arguments[1], &mode, sizeof(mode)) || mode == PR_TSC_ENABLE;
}

/* What the target's recvmsg works on, laid out at its scratch address. */
struct message {
	struct msghdr header;
	struct iovec vector;
	char byte;
	union {
		struct cmsghdr alignment;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
};

_Static_assert(sizeof(struct message) <= INJECT_SCRATCH_BYTES, "INJECT_SCRATCH_BYTES");

static void *at(taddr_t scratch, size_t offset)
{
	return (void *)(uintptr_t)(scratch + offset);
}

static int send_file(int socket, int fd)
{
	struct message message = { .byte = 0 };
	struct cmsghdr *control;

	message.vector = (struct iovec){ &message.byte, 1 };
	message.header.msg_iov = &message.vector;
	message.header.msg_iovlen = 1;
	message.header.msg_control = &message.control;
	message.header.msg_controllen = sizeof(message.control);
	control = CMSG_FIRSTHDR(&message.header);
	control->cmsg_level = SOL_SOCKET;
	control->cmsg_type = SCM_RIGHTS;
	control->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(control), &fd, sizeof(fd));
	return sendmsg(socket, &message.header, MSG_DONTWAIT | MSG_NOSIGNAL) == 1 ? 0 : -errno;
}

/* pidfd_open(2): of a thread, since Linux 6.9.  Before, only of a process, by its leader. */
#define PIDFD_OF_THREAD O_EXCL

static int take_socket(const struct thread *thread, int target_fd)
{
	int pidfd = (int)syscall(SYS_pidfd_open, thread->tid, PIDFD_OF_THREAD), fd, error;

	if (pidfd < 0)
		pidfd = (int)syscall(SYS_pidfd_open,
				     thread->guest ? thread->tid : thread->process->pid, 0);
	fd = pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, target_fd, 0);
	error = fd < 0 ? -errno : fd;
	if (pidfd >= 0)
		close(pidfd);
	/* Of a dead leader: not that the target is gone. */
	return error == -ESRCH ? -ENOSYS : error;
}

/* As one that is not dumpable, where it may be looked at: nobody else gets the socket. */
static int take_hidden_socket(struct inject *inject, int target_fd)
{
	struct injection *injection = &inject->injection;
	int socket = take_socket(injection->thread, target_fd);

	if (socket != -EPERM || access_give(injection))
		return socket;
	socket = take_socket(injection->thread, target_fd);
	access_take_back(injection);
	return socket;
}

static int receive(struct inject *inject, int target_socket, taddr_t scratch, int *target_fd)
{
	struct memory *memory = &inject->injection.thread->process->memory;
	struct message message = { .byte = 0 };
	const uint64_t arguments[6] = {
		(uint64_t)target_socket, scratch, MSG_DONTWAIT | MSG_CMSG_CLOEXEC,
	};
	int64_t result;
	int error;

	message.vector = (struct iovec){ at(scratch, offsetof(struct message, byte)), 1 };
	message.header.msg_iov = at(scratch, offsetof(struct message, vector));
	message.header.msg_iovlen = 1;
	message.header.msg_control = at(scratch, offsetof(struct message, control));
	message.header.msg_controllen = sizeof(message.control);
	error = memory_write(memory, scratch, &message, sizeof(message));
	if (!error)
		error = call(inject, SYS_recvmsg, arguments, &result);
	if (!error && !memread_exact(&memory->read, scratch, &message, sizeof(message)))
		error = -EFAULT;
	if (!error && (message.header.msg_flags & MSG_CTRUNC ||
		       message.header.msg_controllen < CMSG_LEN(sizeof(int))))
		error = -EMFILE;
	if (!error)
		memcpy(target_fd, CMSG_DATA(&message.control.alignment), sizeof(*target_fd));
	return error;
}

static int pass_through(struct inject *inject, int fd, const int pair[2], taddr_t scratch,
			int *target_fd)
{
	int socket = take_hidden_socket(inject, pair[0]), error;

	if (socket < 0)
		return socket;
	error = send_file(socket, fd);
	close(socket);
	return error ? error : receive(inject, pair[1], scratch, target_fd);
}

/* Where the parachute could be written, a little more can. */
taddr_t inject_scratch(const struct inject *inject)
{
	const struct injection *injection = &inject->injection;

	return injection->sp == injection->saved.rsp
		? 0 : (injection->sp - 2 * INJECT_SCRATCH_BYTES) & ~(taddr_t)15;
}

int inject_file(struct inject *inject, int fd, taddr_t scratch, int *target_fd)
{
	const uint64_t arguments[6] = { AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, scratch };
	struct memory *memory = &inject->injection.thread->process->memory;
	int pair[2] = { -1, -1 }, error;
	int64_t result;

	error = call(inject, SYS_socketpair, arguments, &result);
	if (error)
		return error;
	if (!memread_exact(&memory->read, scratch, pair, sizeof(pair)))
		return -EFAULT;
	error = pass_through(inject, fd, pair, scratch, target_fd);
	(void)inject_close_file(inject, pair[0]);
	(void)inject_close_file(inject, pair[1]);
	return error;
}
