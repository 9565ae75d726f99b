/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * waits: a thread for each system call that can wait, all signals blocked, until a line of input
 * comes; then each gets what it waits for.  No handler ever runs: EINTR, or an end before that,
 * is the tracer's doing.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "waits.h"

#define WAITS_MOST 100

static const struct way *const tables[] = {
	pipes_ways, sockets_ways, queues_ways, locks_ways, events_ways,
};
static struct wait waits[WAITS_MOST];
static size_t nr_waits;
static volatile int brought;

void skip(struct wait *wait)
{
	say("without %s: %s\n", wait->way->name, strerror(errno));
	wait->way = NULL;
}

static void *run(void *of)
{
	struct wait *wait = of;

	wait->tid = syscall(SYS_gettid);
	errno = 0;
	wait->good = wait->way->call(wait);
	wait->error = errno;
	if (!brought)
		wait->good = 0;
	wait->ended = 1;
	return NULL;
}

static char state_of(pid_t tid)
{
	char path[64], text[512] = "", *end;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	MUST(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	end = strrchr(text, ')');
	MUST(end);
	return end[2];
}

static void begin(struct wait *wait, const struct way *way)
{
	wait->way = way;
	if (way->prepare)
		way->prepare(wait);
	if (wait->way)
		MUST(pthread_create(&wait->thread, NULL, run, wait) == 0);
}

static void begin_all(const struct way *way)
{
	for (; way->name; way++) {
		MUST(nr_waits < WAITS_MOST);
		begin(&waits[nr_waits++], way);
	}
}

static void await_sleep(struct wait *wait)
{
	while (wait->way && (!wait->tid || state_of(wait->tid) != 'S'))
		usleep(1000);
}

/* How many did not get what they waited for. */
static int end(void)
{
	int nr = 0;

	for (size_t i = 0; i < nr_waits; i++) {
		struct wait *wait = &waits[i];

		if (!wait->way)
			continue;
		if (!wait->ended)
			wait->way->bring(wait);
		pthread_join(wait->thread, NULL);
		if (!wait->good)
			say("WRONG %s: %s\n", wait->way->name, strerror(wait->error));
		nr += !wait->good;
	}
	return nr;
}

/* What is made in it is nobody else's. */
static char folder[] = "waits.XXXXXX";

static void clean_up(void)
{
	static const char *const names[] = { "fifo", "lock", "region" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		(void)unlink(names[i]);
	MUST(chdir("..") == 0 && rmdir(folder) == 0);
}

int main(void)
{
	sigset_t all;
	int bad;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	MUST(mkdtemp(folder) && chdir(folder) == 0);
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		begin_all(tables[i]);
	for (size_t i = 0; i < nr_waits; i++)
		await_sleep(&waits[i]);
	stage("ready");
	brought = 1;
	bad = end();
	clean_up();
	MUST(bad == 0);
	return correct();
}
