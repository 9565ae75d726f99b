/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Semaphores and messages of System V, messages of POSIX. */
#include <fcntl.h>
#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <time.h>

#include "waits.h"

static void semaphore_prepare(struct wait *wait)
{
	wait->other = semget(IPC_PRIVATE, 1, 0600);
	MUST(wait->other >= 0);
}

static bool semaphore_op(struct wait *wait)
{
	struct sembuf down = { .sem_op = -1 };

	return semop(wait->other, &down, 1) == 0;
}

static bool semaphore_timedop(struct wait *wait)
{
	struct sembuf down = { .sem_op = -1 };

	return semtimedop(wait->other, &down, 1, &long_time) == 0;
}

static void semaphore_bring(struct wait *wait)
{
	MUST(semctl(wait->other, 0, SETVAL, 1) == 0);
	while (!wait->ended)
		usleep(1000);
	semctl(wait->other, 0, IPC_RMID);
}

struct letter {
	long type;
	char text[1024];
};

static void queue_prepare(struct wait *wait)
{
	wait->other = msgget(IPC_PRIVATE, 0600);
	MUST(wait->other >= 0);
}

static bool queue_receive(struct wait *wait)
{
	struct letter letter;

	return msgrcv(wait->other, &letter, sizeof(letter.text), 0, 0) == 1;
}

static void queue_bring(struct wait *wait)
{
	struct letter letter = { .type = 1 };

	MUST(msgsnd(wait->other, &letter, 1, 0) == 0);
	while (!wait->ended)
		usleep(1000);
	msgctl(wait->other, IPC_RMID, NULL);
}

static void full_queue_prepare(struct wait *wait)
{
	struct letter letter = { .type = 1 };

	queue_prepare(wait);
	while (msgsnd(wait->other, &letter, sizeof(letter.text), IPC_NOWAIT) == 0)
		;
}

static bool full_queue_send(struct wait *wait)
{
	struct letter letter = { .type = 1 };

	return msgsnd(wait->other, &letter, sizeof(letter.text), 0) == 0;
}

static void full_queue_bring(struct wait *wait)
{
	struct letter letter;

	MUST(msgrcv(wait->other, &letter, sizeof(letter.text), 0, 0) > 0);
	while (!wait->ended)
		usleep(1000);
	msgctl(wait->other, IPC_RMID, NULL);
}

static void post_prepare(struct wait *wait)
{
	struct mq_attr attributes = { .mq_maxmsg = 1, .mq_msgsize = 8 };
	char name[64];

	snprintf(name, sizeof(name), "/waits.%d.%p", getpid(), (void *)wait);
	wait->other = mq_open(name, O_CREAT | O_RDWR | O_CLOEXEC, 0600, &attributes);
	if (wait->other < 0)
		skip(wait);
	else
		mq_unlink(name);
}

static bool post_receive(struct wait *wait)
{
	char text[8];

	return mq_receive(wait->other, text, sizeof(text), NULL) == 1;
}

static bool post_timedreceive(struct wait *wait)
{
	struct timespec until = { .tv_sec = time(NULL) + LONG_S };
	char text[8];

	return mq_timedreceive(wait->other, text, sizeof(text), NULL, &until) == 1;
}

static void post_bring(struct wait *wait)
{
	MUST(mq_send(wait->other, "x", 1, 0) == 0);
}

const struct way queues_ways[] = {
	{ "semop", semaphore_prepare, semaphore_op, semaphore_bring },
	{ "semtimedop", semaphore_prepare, semaphore_timedop, semaphore_bring },
	{ "msgrcv", queue_prepare, queue_receive, queue_bring },
	{ "msgsnd", full_queue_prepare, full_queue_send, full_queue_bring },
	{ "mq_receive", post_prepare, post_receive, post_bring },
	{ "mq_timedreceive", post_prepare, post_timedreceive, post_bring },
	{ NULL },
};
