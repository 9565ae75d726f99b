/* SPDX-License-Identifier: GPL-2.0-or-later */
/* crowd THREADS: a service at work: each thread allocates a little a thousand times a second, until
 * the input ends. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void *serve(void *unused)
{
	void *volatile blocks[16];

	for (;;) {
		for (int i = 0; i < 16; i++)
			blocks[i] = malloc(10 + i * 20);
		for (int i = 0; i < 16; i++)
			free(blocks[i]);
		usleep(1000);
	}
	return unused;
}

int main(int argc, char **argv)
{
	int nr_threads = argc > 1 ? atoi(argv[1]) : 1;
	pthread_t thread;
	char c;

	for (int i = 1; i < nr_threads; i++)
		if (pthread_create(&thread, NULL, serve, NULL))
			return 1;
	if (pthread_create(&thread, NULL, serve, NULL))
		return 1;
	if (write(STDOUT_FILENO, "ready\n", 6) != 6)
		return 1;
	while (read(STDIN_FILENO, &c, 1) == 1)
		;
	return 0;
}
