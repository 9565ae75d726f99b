/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A leak two calls deep. */
#include "truth.h"

__attribute__((noinline)) char *leak_here(void)
{
	char *block = T_MALLOC(123);	/* LEAK */

	block[0] = 1;
	return block;
}

__attribute__((noinline)) int caller(void)
{
	return *leak_here() + 1;	/* CALL */
}

int main(void)
{
	stage("ready");
	MUST(caller() == 2);
	tell_truth();
	stage("done");
	return correct();
}
