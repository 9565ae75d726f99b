/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * obeys [BLOCKS]: leaks so many blocks first, then does what it is told, a line at a time, and
 * answers "done" to each:
 *
 *     leak N, keep N, free N      free takes those that are kept, the oldest first
 *     bulk N                      leaks as many KiB
 *     thread, work N              begins a thread; has it leak N blocks
 *     open FILE, use N, close     a library that leaks N blocks of its own
 *     pool FILE, take N           an allocator of its own
 *     enter, let                  a thread waits in a call of it; lets that end
 *     fork                        a child that leaks 4 blocks at each SIGUSR1
 *     exec N                      becomes itself again, with BLOCKS
 *     hand on                     another thread goes on, and the first one ends
 *     exit N, abort
 */
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>

#include "commands.h"
#include "slow.h"

#define KEPT_MOST 4096

static char *kept[KEPT_MOST];
static int nr_kept, nr_freed, nr_wanted;
static void *library, *pool;
static sem_t wanted, worked;
static const char *program;

static void leak(int nr)
{
	for (int i = 0; i < nr; i++)
		MUST(malloc(40));				/* LIVE leak */
}

static void keep(int nr)
{
	for (int i = 0; i < nr; i++) {
		MUST(nr_kept < KEPT_MOST);
		kept[nr_kept] = malloc(70);			/* LIVE keep */
		fill(kept[nr_kept], 70, nr_kept);
		nr_kept++;
	}
}

static void release(int nr)
{
	for (int i = 0; i < nr; i++) {
		MUST(nr_freed < nr_kept && filled(kept[nr_freed], 70, nr_freed));
		free(kept[nr_freed++]);
	}
}

static void bulk(int nr)
{
	for (int i = 0; i < nr; i++)
		MUST(malloc(1024));				/* LIVE bulk */
}

static void *work(void *unused)
{
	for (;;) {
		sem_wait(&wanted);
		for (int i = 0; i < nr_wanted; i++)
			MUST(malloc(90));			/* LIVE thread */
		sem_post(&worked);
	}
	return unused;
}

static void begin_thread(void)
{
	pthread_t thread;

	MUST(pthread_create(&thread, NULL, work, NULL) == 0);
}

static void have_it_work(int nr)
{
	nr_wanted = nr;
	sem_post(&wanted);
	sem_wait(&worked);
}

static void use_library(int nr)
{
	void (*use)(int);

	*(void **)&use = dlsym(library, "use");
	MUST(use);
	use(nr);
}

static void take_from_pool(int nr)
{
	void *(*take)(size_t);

	*(void **)&take = dlsym(pool, "malloc");
	MUST(take && take != malloc);
	for (int i = 0; i < nr; i++)
		MUST(take(60));					/* LIVE pool */
}

static void *wait_inside(void *unused)
{
	void *(*take)(size_t);

	*(void **)&take = dlsym(pool, "malloc");
	MUST(take(SLOW_BYTES));					/* LIVE slow */
	sem_post(&worked);
	return unused;
}

static void enter(void)
{
	pthread_t thread;
	sem_t *entered = dlsym(pool, "entered");

	MUST(entered && pthread_create(&thread, NULL, wait_inside, NULL) == 0);
	sem_wait(entered);
}

static void let_end(void)
{
	sem_post(dlsym(pool, "gate"));
	sem_wait(&worked);
}

static void child_work(const sigset_t *signals)
{
	int got;

	for (;;) {
		MUST(sigwait(signals, &got) == 0);
		for (int i = 0; i < 4; i++)
			MUST(malloc(20));			/* LIVE child */
		say("worked\n");
	}
}

static void have_child(void)
{
	sigset_t signals;
	pid_t child;

	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR1);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	child = fork();
	MUST(child >= 0);
	if (!child)
		child_work(&signals);
	say("child %d\n", child);
}

static void do_number(const char *what, int n, const char *word)
{
	if (!strcmp(what, "leak"))
		leak(n);
	else if (!strcmp(what, "keep"))
		keep(n);
	else if (!strcmp(what, "free"))
		release(n);
	else if (!strcmp(what, "bulk"))
		bulk(n);
	else if (!strcmp(what, "work"))
		have_it_work(n);
	else if (!strcmp(what, "use"))
		use_library(n);
	else if (!strcmp(what, "take"))
		take_from_pool(n);
	else if (!strcmp(what, "exec"))
		execl(program, program, word, NULL);
	else if (!strcmp(what, "exit"))
		_exit(n);
	else
		MUST(!"a command");
}

static void hand_on(void);

static void obey(const char *what, const char *word)
{
	if (!strcmp(what, "thread"))
		begin_thread();
	else if (!strcmp(what, "open"))
		MUST((library = dlopen(word, RTLD_NOW)));
	else if (!strcmp(what, "close"))
		MUST(dlclose(library) == 0 && !(library = NULL));
	else if (!strcmp(what, "pool"))
		MUST((pool = dlopen(word, RTLD_NOW)));
	else if (!strcmp(what, "enter"))
		enter();
	else if (!strcmp(what, "let"))
		let_end();
	else if (!strcmp(what, "hand"))
		hand_on();
	else if (!strcmp(what, "fork"))
		have_child();
	else if (!strcmp(what, "abort"))
		abort();
	else
		do_number(what, atoi(word), word);
}

static void *obey_all(void *unused)
{
	obey_lines(obey);
	exit(correct());
}

static void hand_on(void)
{
	pthread_t thread;

	MUST(pthread_create(&thread, NULL, obey_all, NULL) == 0);
	say("done\n");
	pthread_exit(NULL);
}

int main(int argc, char **argv)
{
	program = argv[0];
	sem_init(&wanted, 0, 0);
	sem_init(&worked, 0, 0);
	leak(argc > 1 ? atoi(argv[1]) : 0);
	say("ready %d\n", getpid());
	obey_all(NULL);
}
