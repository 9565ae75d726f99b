/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Roles that wait in system calls with all signals blocked.  Half of the waits are in vain and
 * must take their whole time; for the other half one thread brings what they wait for.
 */
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/futex.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "storm.h"

#define WAITERS 5
#define VAIN_MS 4
#define LONG_S 60

static struct waiter {
	int pipe[2], socket[2], epoll;
	aio_context_t aio;
	int futex, waits_for_signal;
	pid_t tid;
} waiters[WAITERS];
static int nr_waiters, empty_pipe[2], empty_epoll;
static int semaphores;		/* one for each waiter, and one that stays 0 */

static struct timespec in_ms(long ms)
{
	return (struct timespec){ ms / 1000, ms % 1000 * 1000000 };
}

static int epoll_of(int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = 99 };
	int epoll = epoll_create1(0);

	MUST(epoll >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0);
	return epoll;
}

/* Told of when the pipe can be read. */
static void aio_ask(struct waiter *waiter)
{
	struct iocb poll = {
		.aio_lio_opcode = IOCB_CMD_POLL, .aio_fildes = waiter->pipe[0],
		.aio_buf = POLLIN,
	};
	struct iocb *list = &poll;

	MUST(syscall(SYS_io_submit, waiter->aio, 1, &list) == 1);
}

static long aio_get(aio_context_t context, const struct timespec *limit)
{
	struct io_event event;

	return syscall(SYS_io_getevents, context, 1, 1, &event, limit);
}

static void semaphores_remove(void)
{
	semctl(semaphores, 0, IPC_RMID);
}

void waits_prepare(void)
{
	struct timeval limit = { .tv_sec = LONG_S };

	for (int i = 0; i < WAITERS; i++) {
		struct waiter *waiter = &waiters[i];

		MUST(pipe2(waiter->pipe, O_CLOEXEC) == 0);
		MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, waiter->socket) == 0);
		MUST(setsockopt(waiter->socket[0], SOL_SOCKET, SO_RCVTIMEO, &limit,
				sizeof(limit)) == 0);
		waiter->epoll = epoll_of(waiter->pipe[0]);
		MUST(syscall(SYS_io_setup, 1, &waiter->aio) == 0);
	}
	MUST(pipe2(empty_pipe, O_CLOEXEC) == 0);
	empty_epoll = epoll_of(empty_pipe[0]);
	semaphores = semget(IPC_PRIVATE, WAITERS + 1, 0600);
	MUST(semaphores >= 0);
	say("semaphores %d\n", semaphores);
	atexit(semaphores_remove);
}

void waiting_begin(struct role *self)
{
	struct waiter *waiter = &waiters[__atomic_fetch_add(&nr_waiters, 1, __ATOMIC_SEQ_CST)];

	waiter->tid = syscall(SYS_gettid);
	self->data = waiter;
}

static long futex_wait(int *word, int value, const struct timespec *limit)
{
	return syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, limit, NULL, 0);
}

/* Calls that a stop ends with EINTR though no handler ran (signal(7)).  The tracer begins them
 * again; one that is killed before it could, cannot. */
#define AGAIN(call)                                                           \
	({                                                                    \
		long again_result;                                            \
		do                                                            \
			again_result = (call);                                \
		while (again_result < 0 && errno == EINTR && forgiving);      \
		again_result;                                                 \
	})

/* Nobody comes: the call says so, and not before its time. */
static void in_vain(const struct waiter *self, unsigned way)
{
	struct timespec limit = in_ms(VAIN_MS);
	struct timeval short_limit = { 0, VAIN_MS * 1000 };
	struct pollfd wanted = { .fd = empty_pipe[0], .events = POLLIN };
	struct sembuf down = { .sem_num = WAITERS, .sem_op = -1 };
	struct epoll_event event;
	double start = now();
	sigset_t signals;
	fd_set set;
	int nothing = 0;

	switch (way % 9) {
	case 0:
		MUST(nanosleep(&limit, NULL) == 0);
		break;
	case 1:
		MUST(poll(&wanted, 1, VAIN_MS) == 0);
		break;
	case 2:
		FD_ZERO(&set);
		FD_SET(empty_pipe[0], &set);
		MUST(select(empty_pipe[0] + 1, &set, NULL, NULL, &short_limit) == 0);
		break;
	case 3:
		MUST(AGAIN(epoll_wait(empty_epoll, &event, 1, VAIN_MS)) == 0);
		break;
	case 4:
		sigemptyset(&signals);
		sigaddset(&signals, SIGWINCH);
		MUST(AGAIN(sigtimedwait(&signals, NULL, &limit)) == -1 && errno == EAGAIN);
		break;
	case 5:
		MUST(AGAIN(semtimedop(semaphores, &down, 1, &limit)) == -1 && errno == EAGAIN);
		break;
	case 6:
		MUST(futex_wait(&nothing, 0, &limit) == -1 && errno == ETIMEDOUT);
		break;
	case 7:
		MUST(AGAIN(aio_get(self->aio, &limit)) == 0);
		break;
	default:
		MUST(clock_nanosleep(CLOCK_MONOTONIC, 0, &limit, NULL) == 0);
	}
	MUST(now() - start >= VAIN_MS * 0.99e-3);
}

static void take_byte(const struct waiter *self)
{
	char c = 0;

	MUST(read(self->pipe[0], &c, 1) == 1 && c == 'p');
}

/* The bringing thread comes some time. */
static void brought(struct waiter *self, unsigned way)
{
	struct pollfd wanted = { .fd = self->pipe[0], .events = POLLIN };
	struct sembuf down = { .sem_num = self - waiters, .sem_op = -1 };
	struct timespec limit = in_ms(LONG_S * 1000);
	struct epoll_event event;
	sigset_t signals;
	char c = 0;
	int word;

	switch (way % 8) {
	case 0:
		break;
	case 1:
		MUST(poll(&wanted, 1, LONG_S * 1000) == 1 && wanted.revents == POLLIN);
		break;
	case 2:
		MUST(AGAIN(epoll_wait(self->epoll, &event, 1, LONG_S * 1000)) == 1);
		MUST(event.data.u64 == 99);
		break;
	case 3:
		MUST(AGAIN(recv(self->socket[0], &c, 1, 0)) == 1 && c == 's');
		return;
	case 4:
		MUST(AGAIN(semtimedop(semaphores, &down, 1, &limit)) == 0);
		return;
	case 5:
		sigemptyset(&signals);
		sigaddset(&signals, SIGUSR2);
		self->waits_for_signal = 1;
		MUST(AGAIN(sigtimedwait(&signals, NULL, &limit)) == SIGUSR2);
		return;
	case 6:
		aio_ask(self);
		MUST(AGAIN(aio_get(self->aio, &limit)) == 1);
		break;
	default:
		word = __atomic_load_n(&self->futex, __ATOMIC_SEQ_CST);
		while (__atomic_load_n(&self->futex, __ATOMIC_SEQ_CST) == word)
			MUST(futex_wait(&self->futex, word, &limit) == 0 || errno == EAGAIN);
		return;
	}
	take_byte(self);
}

void waiting_step(struct role *self)
{
	unsigned way = next_random(self);

	in_vain(self->data, way);
	brought(self->data, way / 9);
}

static int unread(int fd)
{
	struct pollfd wanted = { .fd = fd, .events = POLLIN };

	return poll(&wanted, 1, 0) == 1;
}

/* One of everything that the waiter has not got yet. */
static void bring(struct waiter *waiter)
{
	if (!waiter->tid)
		return;
	if (!unread(waiter->pipe[0]))
		MUST(write(waiter->pipe[1], "p", 1) == 1);
	if (!unread(waiter->socket[0]))
		MUST(send(waiter->socket[1], "s", 1, 0) == 1);
	MUST(semctl(semaphores, waiter - waiters, SETVAL, 1) == 0);
	if (__atomic_exchange_n(&waiter->waits_for_signal, 0, __ATOMIC_SEQ_CST))
		MUST(syscall(SYS_tgkill, getpid(), waiter->tid, SIGUSR2) == 0);
	__atomic_add_fetch(&waiter->futex, 1, __ATOMIC_SEQ_CST);
	MUST(syscall(SYS_futex, &waiter->futex, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) >= 0);
}

void bringing_step(struct role *self)
{
	struct timespec time = in_ms(3);

	for (int i = 0; i < WAITERS; i++)
		bring(&waiters[i]);
	MUST(nanosleep(&time, NULL) == 0);
	free(malloc(next_random(self) % 1000));
}
