/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pairs N: prints the time of a pair of malloc and free, made N times 16 calls deep, in ns. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e9 + time.tv_nsec;
}

__attribute__((noinline)) static void pairs(long n)
{
	for (long i = 0; i < n; i++) {
		void *block = malloc(i & 255);

		__asm__ volatile("" : "+r"(block) : : "memory");
		free(block);
	}
}

__attribute__((noinline, noclone)) static void deep(int depth, long n)
{
	if (depth > 1)
		deep(depth - 1, n);
	else
		pairs(n);
	__asm__ volatile("" : : : "memory");	/* no tail call */
}

int main(int argc, char **argv)
{
	long n = argc > 1 ? atol(argv[1]) : 1000000;
	double start = now_ns();

	deep(14, n);
	printf("%.1f\n", (now_ns() - start) / n);
	return 0;
}
