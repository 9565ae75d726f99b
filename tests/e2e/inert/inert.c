/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A thread with a name that would do things to a terminal; the test renames evil likewise. */
#include <sys/prctl.h>

#include "truth.h"

__attribute__((noinline)) int evil(void)
{
	char *block = T_MALLOC(45);

	block[0] = 1;
	return block[0] + 1;
}

int main(void)
{
	prctl(PR_SET_NAME, "bad\033]0;x\007");
	stage("ready");
	MUST(evil() == 2);
	tell_truth();
	stage("done");
	return correct();
}
