/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * signals SECONDS [stack]: a timer of 1 kHz whose handler allocates, on a stack of its own if
 * so wished, while main allocates too.  Linked to arena.c, whose functions may be interrupted
 * by themselves; so each call of either is complete, and counted, at the end.
 */
#include "timer.h"
#include "truth.h"

static volatile unsigned long handled;

static void on_timer(int number)
{
	size_t size = handled % 90 + 1;
	char *block = T_MALLOC(size);		/* LIVE handler */

	check_block(block, size, number);
	if (handled % 4)
		T_FREE(block, size);
	handled++;
}

int main(int argc, char **argv)
{
	double end;

	on_alarm(on_timer, argc > 2);
	stage("ready");
	timer(1000);
	for (end = now() + atof(argv[1]); now() < end;) {
		char *block = T_MALLOC(70);

		block[0] = 1;
		block = T_REALLOC(block, 70, 80);
		MUST(block[0] == 1);
		T_FREE(block, 80);
	}
	timer(0);
	MUST(handled > 50);
	tell_truth();
	stage("done");
	return correct();
}
