/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * waits CALL: waits in the call until another thread, told by the input, brings what it waits
 * for.  No handler ever runs: EINTR would be the tracer's.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#include "truth.h"

#define LONG_S 60

static int sockets[2], semaphore;

static void *bring(void *unused)
{
	stage("ready");
	MUST(send(sockets[1], "x", 1, 0) == 1);
	MUST(semctl(semaphore, 0, SETVAL, 1) == 0);
	MUST(kill(getpid(), SIGUSR2) == 0);
	return unused;
}

static int wait_epoll(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	int fd = epoll_create1(0);

	MUST(epoll_ctl(fd, EPOLL_CTL_ADD, sockets[0], &event) == 0);
	return epoll_wait(fd, &event, 1, LONG_S * 1000) == 1;
}

static int wait_signal(const sigset_t *signals)
{
	struct timespec limit = { .tv_sec = LONG_S };

	return sigtimedwait(signals, NULL, &limit) == SIGUSR2;
}

static int wait_receive(void)
{
	struct timeval limit = { .tv_sec = LONG_S };
	char c;

	MUST(setsockopt(sockets[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0);
	return recv(sockets[0], &c, 1, 0) == 1;
}

static int wait_semaphore(void)
{
	struct timespec limit = { .tv_sec = LONG_S };
	struct sembuf down = { .sem_op = -1 };

	return semtimedop(semaphore, &down, 1, &limit) == 0;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	sigset_t signals;
	int brought;

	MUST(argc == 2);
	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR2);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
	semaphore = semget(IPC_PRIVATE, 1, 0600);
	MUST(semaphore >= 0);
	MUST(pthread_create(&thread, NULL, bring, NULL) == 0);
	brought = argv[1][0] == 'e' ? wait_epoll() :
		  argv[1][0] == 's' ? wait_semaphore() :
		  argv[1][0] == 'r' ? wait_receive() : wait_signal(&signals);
	if (brought)
		pthread_join(thread, NULL);
	semctl(semaphore, 0, IPC_RMID);
	MUST(brought);
	return correct();
}
