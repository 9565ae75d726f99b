/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pipes, files like them, epoll, and what is asked for and done later. */
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "waits.h"

void pipe_prepare(struct wait *wait)
{
	MUST(pipe2(wait->fd, O_CLOEXEC) == 0);
}

void pipe_bring(struct wait *wait)
{
	MUST(write(wait->fd[1], "x", 1) == 1);
}

bool pipe_read(struct wait *wait)
{
	char c;

	return read(wait->fd[0], &c, 1) == 1 && c == 'x';
}

bool pipe_readv(struct wait *wait)
{
	char c;
	struct iovec vector = { &c, 1 };

	return readv(wait->fd[0], &vector, 1) == 1;
}

static bool pipe_poll(struct wait *wait)
{
	struct pollfd wanted = { wait->fd[0], POLLIN, 0 };

	return poll(&wanted, 1, LONG_S * 1000) == 1;
}

static bool pipe_ppoll(struct wait *wait)
{
	struct pollfd wanted = { wait->fd[0], POLLIN, 0 };
	sigset_t all;

	sigfillset(&all);
	return ppoll(&wanted, 1, &long_time, &all) == 1;
}

static bool pipe_select(struct wait *wait)
{
	struct timeval limit = { .tv_sec = LONG_S };
	fd_set set;

	FD_ZERO(&set);
	FD_SET(wait->fd[0], &set);
	return select(wait->fd[0] + 1, &set, NULL, NULL, &limit) == 1;
}

static bool pipe_pselect(struct wait *wait)
{
	sigset_t all;
	fd_set set;

	sigfillset(&all);
	FD_ZERO(&set);
	FD_SET(wait->fd[0], &set);
	return pselect(wait->fd[0] + 1, &set, NULL, NULL, &long_time, &all) == 1;
}

static bool pipe_splice(struct wait *wait)
{
	int to[2];

	MUST(pipe2(to, O_CLOEXEC) == 0);
	return splice(wait->fd[0], NULL, to[1], NULL, 1, 0) == 1;
}

static bool pipe_tee(struct wait *wait)
{
	int to[2];

	MUST(pipe2(to, O_CLOEXEC) == 0);
	return tee(wait->fd[0], to[1], 1, 0) == 1;
}

static void full_pipe_prepare(struct wait *wait)
{
	static char zeros[4096];

	pipe_prepare(wait);
	MUST(fcntl(wait->fd[1], F_SETFL, O_NONBLOCK) == 0);
	while (write(wait->fd[1], zeros, sizeof(zeros)) > 0)
		;
	MUST(fcntl(wait->fd[1], F_SETFL, 0) == 0);
}

static void full_pipe_bring(struct wait *wait)
{
	char bytes[65536];

	MUST(read(wait->fd[0], bytes, sizeof(bytes)) > 0);
}

bool pipe_write(struct wait *wait)
{
	return write(wait->fd[1], "y", 1) == 1;
}

static bool pipe_vmsplice(struct wait *wait)
{
	struct iovec vector = { "z", 1 };

	return vmsplice(wait->fd[1], &vector, 1, 0) == 1;
}

bool pipe_sendfile(struct wait *wait)
{
	int file = open("/proc/self/exe", O_RDONLY);

	return sendfile(wait->fd[1], file, NULL, 1) == 1;
}

static void fifo_prepare(struct wait *wait)
{
	MUST(mkfifo("fifo", 0600) == 0);
}

static bool fifo_open(struct wait *wait)
{
	return open("fifo", O_RDONLY | O_CLOEXEC) >= 0;
}

static void fifo_bring(struct wait *wait)
{
	MUST(open("fifo", O_WRONLY | O_CLOEXEC) >= 0);
}

static void terminal_prepare(struct wait *wait)
{
	char name[64];
	int locked = 0;

	wait->fd[1] = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (wait->fd[1] < 0 || ioctl(wait->fd[1], TIOCSPTLCK, &locked) ||
	    ptsname_r(wait->fd[1], name, sizeof(name))) {
		skip(wait);
		return;
	}
	wait->fd[0] = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (wait->fd[0] < 0)
		skip(wait);
}

static bool terminal_read(struct wait *wait)
{
	char line[2];

	return read(wait->fd[0], line, 2) == 2;
}

static void terminal_bring(struct wait *wait)
{
	MUST(write(wait->fd[1], "x\n", 2) == 2);
}

/* epoll */

static void epoll_prepare(struct wait *wait)
{
	struct epoll_event event = { .events = EPOLLIN };

	pipe_prepare(wait);
	wait->other = epoll_create1(EPOLL_CLOEXEC);
	MUST(epoll_ctl(wait->other, EPOLL_CTL_ADD, wait->fd[0], &event) == 0);
}

static bool epoll_waits(struct wait *wait)
{
	struct epoll_event event;

	return epoll_wait(wait->other, &event, 1, LONG_S * 1000) == 1;
}

static bool epoll_pwaits(struct wait *wait)
{
	struct epoll_event event;
	sigset_t all;

	sigfillset(&all);
	return epoll_pwait(wait->other, &event, 1, -1, &all) == 1;
}

static bool epoll_pwaits2(struct wait *wait)
{
	struct epoll_event event;

	return syscall(SYS_epoll_pwait2, wait->other, &event, 1, &long_time, NULL, 8) == 1;
}

/* Asynchronous input and output */

static void aio_prepare(struct wait *wait)
{
	struct iocb poll = { .aio_lio_opcode = IOCB_CMD_POLL, .aio_buf = POLLIN }, *list = &poll;
	aio_context_t context = 0;

	pipe_prepare(wait);
	poll.aio_fildes = wait->fd[0];
	if (syscall(SYS_io_setup, 1, &context) || syscall(SYS_io_submit, context, 1, &list) != 1)
		skip(wait);
	wait->memory = (void *)context;
}

static bool aio_getevents(struct wait *wait)
{
	struct io_event event;

	return syscall(SYS_io_getevents, wait->memory, 1, 1, &event, NULL) == 1;
}

static bool aio_pgetevents(struct wait *wait)
{
	struct io_event event;

	return syscall(SYS_io_pgetevents, wait->memory, 1, 1, &event, &long_time, NULL) == 1;
}

static void uring_prepare(struct wait *wait)
{
	struct io_uring_params params = { 0 };
	struct io_uring_sqe *queue;
	char *ring;

	pipe_prepare(wait);
	wait->other = syscall(SYS_io_uring_setup, 1, &params);
	if (wait->other < 0) {
		skip(wait);
		return;
	}
	ring = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, wait->other,
		    IORING_OFF_SQ_RING);
	queue = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, wait->other, IORING_OFF_SQES);
	MUST(ring != MAP_FAILED && queue != MAP_FAILED);
	*queue = (struct io_uring_sqe){
		.opcode = IORING_OP_POLL_ADD, .fd = wait->fd[0], .poll32_events = POLLIN,
	};
	((unsigned *)(ring + params.sq_off.array))[0] = 0;
	__atomic_store_n((unsigned *)(ring + params.sq_off.tail), 1, __ATOMIC_RELEASE);
	MUST(syscall(SYS_io_uring_enter, wait->other, 1, 0, 0, NULL, 0) == 1);
}

static bool uring_enter(struct wait *wait)
{
	return syscall(SYS_io_uring_enter, wait->other, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0) == 0;
}

const struct way pipes_ways[] = {
	{ "read of a pipe", pipe_prepare, pipe_read, pipe_bring },
	{ "readv", pipe_prepare, pipe_readv, pipe_bring },
	{ "poll", pipe_prepare, pipe_poll, pipe_bring },
	{ "ppoll", pipe_prepare, pipe_ppoll, pipe_bring },
	{ "select", pipe_prepare, pipe_select, pipe_bring },
	{ "pselect", pipe_prepare, pipe_pselect, pipe_bring },
	{ "splice", pipe_prepare, pipe_splice, pipe_bring },
	{ "tee", pipe_prepare, pipe_tee, pipe_bring },
	{ "write to a pipe", full_pipe_prepare, pipe_write, full_pipe_bring },
	{ "vmsplice", full_pipe_prepare, pipe_vmsplice, full_pipe_bring },
	{ "sendfile", full_pipe_prepare, pipe_sendfile, full_pipe_bring },
	{ "open of a fifo", fifo_prepare, fifo_open, fifo_bring },
	{ "read of a terminal", terminal_prepare, terminal_read, terminal_bring },
	{ "epoll_wait", epoll_prepare, epoll_waits, pipe_bring },
	{ "epoll_pwait", epoll_prepare, epoll_pwaits, pipe_bring },
	{ "epoll_pwait2", epoll_prepare, epoll_pwaits2, pipe_bring },
	{ "io_getevents", aio_prepare, aio_getevents, pipe_bring },
	{ "io_pgetevents", aio_prepare, aio_pgetevents, pipe_bring },
	{ "io_uring_enter", uring_prepare, uring_enter, pipe_bring },
	{ NULL },
};
