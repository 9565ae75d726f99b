/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fork [ROUNDS]: children that allocate, compare the code of malloc with what their parent saw
 * before the attach, and end with 7.  They sleep last, so that a tracer has time to let go.
 */
#include <fcntl.h>
#include <sys/wait.h>

#include "truth.h"

#define CODE_BYTES 64

static unsigned char malloc_code[CODE_BYTES], free_code[CODE_BYTES];

static int tracer_pid(void)
{
	char text[4096] = "", *field;
	int fd = open("/proc/self/status", O_RDONLY);

	MUST(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	field = strstr(text, "TracerPid:");
	return field ? atoi(field + 10) : -1;
}

static void child_work(int traced)
{
	void *kept;

	for (int i = 0; i < 100; i++) {
		char *block = malloc(i + 1);

		check_block(block, i + 1, i);
		free(block);
	}
	kept = malloc(222);		/* LIVE child */
	MUST(kept);
	if (!traced) {
		usleep(100000);
		MUST(tracer_pid() == 0);
		MUST(memcmp((void *)malloc, malloc_code, CODE_BYTES) == 0);
		MUST(memcmp((void *)free, free_code, CODE_BYTES) == 0);
	}
	_exit(7);
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 5, traced = argc > 2, status;

	memcpy(malloc_code, (void *)malloc, CODE_BYTES);
	memcpy(free_code, (void *)free, CODE_BYTES);
	stage("ready");
	for (int i = 0; i < rounds; i++) {
		void *block = T_MALLOC(111);	/* LIVE parent */
		pid_t child = fork();

		if (child == 0)
			child_work(traced);
		MUST(block && child > 0);
		say("child %d\n", child);
		MUST(waitpid(child, &status, 0) == child);
		MUST(WIFEXITED(status) && WEXITSTATUS(status) == 7);
		T_FREE(T_MALLOC(10), 10);
	}
	tell_truth();
	stage("done");
	return correct();
}
