/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fifteen places that leak, each its own line and size. */
#include "truth.h"

#define LEAK(n) static void leak_##n(void) { (void)T_MALLOC(10 * n); }

LEAK(1)
LEAK(2)
LEAK(3)
LEAK(4)
LEAK(5)
LEAK(6)
LEAK(7)
LEAK(8)
LEAK(9)
LEAK(10)
LEAK(11)
LEAK(12)
LEAK(13)
LEAK(14)
LEAK(15)

int main(void)
{
	static void (*const leak[])(void) = {
		leak_1, leak_2, leak_3, leak_4, leak_5, leak_6, leak_7, leak_8, leak_9, leak_10,
		leak_11, leak_12, leak_13, leak_14, leak_15,
	};

	stage("ready");
	for (int i = 0; i < 15; i++)
		leak[i]();
	tell_truth();
	stage("done");
	return correct();
}
