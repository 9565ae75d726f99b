/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * forks WAY ROUNDS: processes that come and go and check what they do.  WAY:
 *   storm      four threads, whose fork children have children
 *   prefork    a server whose eight workers end and are replaced
 *   daemon     forks twice, and its first two processes end; the third speaks
 *   execs      becomes itself ROUNDS times, out of any of five threads that all allocate
 *   crowd      likewise, out of one of 80 threads that wait
 */
#include <pthread.h>
#include <sys/wait.h>

#include "truth.h"

#define WORKERS 8

static int rounds;

static void allocate(int times)
{
	for (int i = 1; i <= times; i++) {
		char *block = malloc(i % 3000 + 1);

		check_block(block, i % 3000 + 1, i);
		block = realloc(block, i % 3000 + 100);
		MUST(block && filled(block, i % 3000 + 1, i));
		free(block);
	}
}

static void must_end(pid_t child, int code)
{
	int status;

	MUST(child > 0 && waitpid(child, &status, 0) == child);
	if (WIFSIGNALED(status))
		say("WRONG child: signal %d\n", WTERMSIG(status));
	MUST(WIFEXITED(status) && WEXITSTATUS(status) == code);
}

static void child_of_storm(void)
{
	pid_t child;

	allocate(20);
	child = fork();
	if (child == 0) {
		allocate(20);
		_exit(5);
	}
	allocate(20);
	must_end(child, 5);
	_exit(7);
}

static void *storm(void *unused)
{
	for (int i = 0; i < rounds; i++) {
		pid_t child = fork();

		if (child == 0)
			child_of_storm();
		allocate(5);
		must_end(child, 7);
	}
	return unused;
}

static void storms(void)
{
	pthread_t thread[4];

	for (int i = 0; i < 4; i++)
		MUST(pthread_create(&thread[i], NULL, storm, NULL) == 0);
	for (int i = 0; i < 4; i++)
		MUST(pthread_join(thread[i], NULL) == 0);
}

static void prefork(void)
{
	int begun = 0, ended = 0, status;

	while (ended < rounds) {
		if (begun < rounds && begun - ended < WORKERS) {
			pid_t child = fork();

			if (child == 0) {
				allocate(300 + begun * 10);
				_exit(7);
			}
			MUST(child > 0);
			begun++;
			continue;
		}
		MUST(wait(&status) > 0);
		if (WIFSIGNALED(status))
			say("WRONG worker: signal %d\n", WTERMSIG(status));
		MUST(WIFEXITED(status) && WEXITSTATUS(status) == 7);
		ended++;
	}
}

static void daemonize(void)
{
	allocate(100);
	if (fork())
		_exit(0);
	MUST(setsid() > 0);
	allocate(100);
	if (fork())
		_exit(0);
	say("daemon %d\n", getpid());
	allocate(rounds);
}

#define CROWD 80

static char **self;
static volatile int all_there;

static void *become(void *unused)
{
	char left[16];

	/* While one thread is at an exec, none can be made. */
	while (!all_there)
		usleep(100);
	allocate(30);
	snprintf(left, sizeof(left), "%d", rounds - 1);
	execl(self[0], self[0], self[1], left, "again", NULL);
	_exit(119);
	return unused;
}

static void *goes_on(void *unused)
{
	for (;;)
		allocate(100);
	return unused;
}

static void execs(void)
{
	pthread_t thread[5];

	if (rounds == 0)
		return;
	for (int i = 0; i < 5; i++)
		MUST(pthread_create(&thread[i], NULL, i == rounds % 6 ? become : goes_on,
				    NULL) == 0);
	all_there = 1;
	if (rounds % 6 == 5)
		become(NULL);
	goes_on(NULL);
}

static void *waits(void *unused)
{
	for (;;)
		pause();
	return unused;
}

static void crowd(void)
{
	pthread_t thread;

	if (rounds == 0)
		return;
	for (int i = 0; i < CROWD; i++)
		MUST(pthread_create(&thread, NULL, i == CROWD / 2 ? become : waits, NULL) == 0);
	usleep(rounds % 20 * 1000);
	all_there = 1;
	waits(NULL);
}

int main(int argc, char **argv)
{
	const char *way = argv[1];

	MUST(argc >= 3);
	self = argv;
	rounds = atoi(argv[2]);
	if (argc == 3)
		stage("ready");
	if (strcmp(way, "storm") == 0)
		storms();
	else if (strcmp(way, "prefork") == 0)
		prefork();
	else if (strcmp(way, "daemon") == 0)
		daemonize();
	else if (strcmp(way, "crowd") == 0)
		crowd();
	else
		execs();
	stage("done");
	return correct();
}
