/* SPDX-License-Identifier: GPL-2.0-or-later */
/* late MICROSECONDS PROGRAM: becomes the program so long after it was told to. */
#include "truth.h"

int main(int argc, char **argv)
{
	MUST(argc == 3);
	stage("late");
	usleep(atoi(argv[1]));
	execl(argv[2], argv[2], NULL);
	return 119;
}
