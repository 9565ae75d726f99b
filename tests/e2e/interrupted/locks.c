/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Futexes, and locks of files. */
#include <fcntl.h>
#include <linux/futex.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <time.h>

#include "waits.h"

static long futex(int *word, int operation, int value, const struct timespec *limit)
{
	return syscall(SYS_futex, word, operation, value, limit, NULL, FUTEX_BITSET_MATCH_ANY);
}

static bool futex_wait(struct wait *wait)
{
	return futex(&wait->word, FUTEX_WAIT_PRIVATE, 0, NULL) == 0;
}

static bool futex_wait_limit(struct wait *wait)
{
	return futex(&wait->word, FUTEX_WAIT_PRIVATE, 0, &long_time) == 0;
}

static bool futex_wait_bits(struct wait *wait)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += LONG_S;
	return futex(&wait->word, FUTEX_WAIT_BITSET_PRIVATE, 0, &until) == 0;
}

static bool futex_wait_several(struct wait *wait)
{
	struct futex_waitv waiter = { .uaddr = (uintptr_t)&wait->word,
				      .flags = FUTEX_32 | FUTEX_PRIVATE_FLAG };

	return syscall(SYS_futex_waitv, &waiter, 1, 0, NULL, CLOCK_MONOTONIC) == 0;
}

static void futex_bring(struct wait *wait)
{
	while (!wait->ended) {
		futex(&wait->word, FUTEX_WAKE_PRIVATE, 1, NULL);
		usleep(1000);
	}
}

static void owned_prepare(struct wait *wait)
{
	wait->word = syscall(SYS_gettid);
}

static bool owned_lock(struct wait *wait)
{
	return futex(&wait->word, FUTEX_LOCK_PI_PRIVATE, 0, NULL) == 0;
}

static void owned_bring(struct wait *wait)
{
	MUST(futex(&wait->word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL) == 0);
}

/* Locks of files */

static void lock_prepare(struct wait *wait)
{
	wait->fd[0] = open("lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	wait->fd[1] = open("lock", O_RDWR | O_CLOEXEC);
	MUST(flock(wait->fd[0], LOCK_EX) == 0);
}

static bool lock_flock(struct wait *wait)
{
	return flock(wait->fd[1], LOCK_EX) == 0;
}

static void lock_bring(struct wait *wait)
{
	MUST(flock(wait->fd[0], LOCK_UN) == 0);
}

static void region_prepare(struct wait *wait)
{
	struct flock whole = { .l_type = F_WRLCK };

	wait->fd[0] = open("region", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	wait->fd[1] = open("region", O_RDWR | O_CLOEXEC);
	MUST(fcntl(wait->fd[0], F_OFD_SETLK, &whole) == 0);
}

static bool region_lock(struct wait *wait)
{
	struct flock whole = { .l_type = F_WRLCK };

	return fcntl(wait->fd[1], F_SETLKW, &whole) == 0;
}

static void region_bring(struct wait *wait)
{
	struct flock whole = { .l_type = F_UNLCK };

	MUST(fcntl(wait->fd[0], F_OFD_SETLK, &whole) == 0);
}

const struct way locks_ways[] = {
	{ "futex", NULL, futex_wait, futex_bring },
	{ "futex with a limit", NULL, futex_wait_limit, futex_bring },
	{ "futex until", NULL, futex_wait_bits, futex_bring },
	{ "futex_waitv", NULL, futex_wait_several, futex_bring },
	{ "futex with an owner", owned_prepare, owned_lock, owned_bring },
	{ "flock", lock_prepare, lock_flock, lock_bring },
	{ "fcntl", region_prepare, region_lock, region_bring },
	{ NULL },
};
