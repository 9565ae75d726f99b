/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Signals, children, and descriptors that tell of events. */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

#include "waits.h"

/* Signals and children */

static bool signal_timedwait(struct wait *wait)
{
	sigset_t wanted;

	sigemptyset(&wanted);
	sigaddset(&wanted, SIGRTMIN + 3);
	return sigtimedwait(&wanted, NULL, &long_time) == SIGRTMIN + 3;
}

static bool signal_waitinfo(struct wait *wait)
{
	sigset_t wanted;

	sigemptyset(&wanted);
	sigaddset(&wanted, SIGRTMIN + 3);
	return sigwaitinfo(&wanted, NULL) == SIGRTMIN + 3;
}

static bool signal_read(struct wait *wait)
{
	struct signalfd_siginfo info;
	sigset_t wanted;

	sigemptyset(&wanted);
	sigaddset(&wanted, SIGRTMIN + 3);
	return read(signalfd(-1, &wanted, SFD_CLOEXEC), &info, sizeof(info)) == sizeof(info);
}

static void signal_bring(struct wait *wait)
{
	MUST(syscall(SYS_tgkill, getpid(), wait->tid, SIGRTMIN + 3) == 0);
}

static void child_prepare(struct wait *wait)
{
	char c;

	pipe_prepare(wait);
	wait->child = fork();
	MUST(wait->child >= 0);
	if (wait->child == 0)
		_exit(read(wait->fd[0], &c, 1) == 1 ? 7 : 8);
}

static bool child_wait4(struct wait *wait)
{
	int status;

	return wait4(wait->child, &status, 0, NULL) == wait->child && WEXITSTATUS(status) == 7;
}

static bool child_waitid(struct wait *wait)
{
	siginfo_t info;

	return waitid(P_PID, wait->child, &info, WEXITED) == 0 && info.si_status == 7;
}

/* Descriptors that tell of events */

static void event_prepare(struct wait *wait)
{
	wait->fd[0] = wait->fd[1] = eventfd(0, EFD_CLOEXEC);
}

static bool event_read(struct wait *wait)
{
	uint64_t value;

	return read(wait->fd[0], &value, sizeof(value)) == sizeof(value) && value == 1;
}

static void event_bring(struct wait *wait)
{
	uint64_t value = 1;

	MUST(write(wait->fd[1], &value, sizeof(value)) == sizeof(value));
}

static void timer_prepare(struct wait *wait)
{
	wait->fd[0] = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
}

static void timer_bring(struct wait *wait)
{
	struct itimerspec soon = { .it_value = { .tv_nsec = 1 } };

	MUST(timerfd_settime(wait->fd[0], 0, &soon, NULL) == 0);
}

static void notify_prepare(struct wait *wait)
{
	wait->fd[0] = inotify_init1(IN_CLOEXEC);
	MUST(inotify_add_watch(wait->fd[0], ".", IN_CREATE | IN_DELETE) >= 0);
}

static bool notify_read(struct wait *wait)
{
	char room[512];

	return read(wait->fd[0], room, sizeof(room)) > 0;
}

static void notify_bring(struct wait *wait)
{
	MUST(open("notified", O_CREAT | O_CLOEXEC, 0600) >= 0);
	MUST(unlink("notified") == 0);
}

static void fault_prepare(struct wait *wait)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	wait->other = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (wait->other < 0) {
		skip(wait);
		return;
	}
	wait->memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	range.range.start = (uintptr_t)wait->memory;
	range.range.len = 4096;
	MUST(ioctl(wait->other, UFFDIO_API, &api) == 0);
	MUST(ioctl(wait->other, UFFDIO_REGISTER, &range) == 0);
}

static bool fault_read(struct wait *wait)
{
	struct uffd_msg message;
	struct uffdio_zeropage page = { .range = { .start = (uintptr_t)wait->memory, .len = 4096 } };

	return read(wait->other, &message, sizeof(message)) == sizeof(message) &&
	       ioctl(wait->other, UFFDIO_ZEROPAGE, &page) == 0;
}

static void fault_bring(struct wait *wait)
{
	MUST(*(volatile char *)wait->memory == 0);
}

const struct way events_ways[] = {
	{ "sigtimedwait", NULL, signal_timedwait, signal_bring },
	{ "sigwaitinfo", NULL, signal_waitinfo, signal_bring },
	{ "read of a signalfd", NULL, signal_read, signal_bring },
	{ "wait4", child_prepare, child_wait4, pipe_bring },
	{ "waitid", child_prepare, child_waitid, pipe_bring },
	{ "read of an eventfd", event_prepare, event_read, event_bring },
	{ "read of a timerfd", timer_prepare, event_read, timer_bring },
	{ "read of inotify", notify_prepare, notify_read, notify_bring },
	{ "read of userfaultfd", fault_prepare, fault_read, fault_bring },
	{ NULL },
};
