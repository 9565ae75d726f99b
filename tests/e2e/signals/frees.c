/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * frees SECONDS [stack]: a timer of 2 kHz whose handler allocates and frees, on a stack of its
 * own if so wished, in the middle of main's calls of malloc and free too.  The allocator takes
 * no lock, and no two blocks in use have one address.
 */
#include "timer.h"
#include "truth.h"

#define ROOM (1ul << 20)

static char arena[ROOM] __attribute__((aligned(16)));
static unsigned long used;
static volatile unsigned long handled;

__attribute__((noinline)) void *malloc(size_t size)
{
	unsigned long at = __atomic_fetch_add(&used, (size + 15) & ~15ul, __ATOMIC_RELAXED);

	return arena + at % ROOM;
}

__attribute__((noinline)) void free(void *block)
{
	__asm__ volatile("" : : "r"(block));
}

static void on_timer(int number)
{
	void *block = T_MALLOC(48);

	T_FREE(block, 48);
	handled += number == SIGALRM;
}

int main(int argc, char **argv)
{
	double end;

	on_alarm(on_timer, argc > 2);
	stage("ready");
	timer(500);
	for (end = now() + atof(argv[1]); now() < end;) {
		for (int i = 0; i < 100; i++) {
			void *block = T_MALLOC(32);

			T_FREE(block, 32);
		}
	}
	timer(0);
	MUST(handled > 50);
	tell_truth();
	stage("done");
	return correct();
}
