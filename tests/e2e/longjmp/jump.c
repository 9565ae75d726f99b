/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A timer whose handler leaves by siglongjmp, out of whatever main does just then; main does
 * little but allocate.  Linked to arena.c, which may be left in the middle.
 */
#include <setjmp.h>
#include <signal.h>

#include "timer.h"
#include "truth.h"

#define JUMPS 400

static sigjmp_buf back;
static volatile int jumps;

static void on_timer(int number)
{
	jumps++;
	siglongjmp(back, number);
}

static void deep(int depth)
{
	volatile char room[256];

	room[0] = depth;
	if (depth > 0)
		deep(depth - 1);
	while (jumps < JUMPS + room[0]) {
		void *block = T_MALLOC(40);

		block = T_REALLOC(block, 40, 60);
		T_FREE(block, 60);
	}
}

int main(void)
{
	signal(SIGALRM, on_timer);
	stage("ready");
	if (sigsetjmp(back, 1) == 0)
		timer(3000);
	if (jumps < JUMPS)
		deep(jumps % 10);
	timer(0);
	for (int i = 0; i < 100; i++)
		(void)T_MALLOC(8);		/* LIVE */
	say("jumps %d\n", jumps);
	tell_truth();
	stage("done");
	return correct();
}
