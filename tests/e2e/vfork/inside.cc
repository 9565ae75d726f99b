/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inside PROGRAM: vfork children become the program in the middle of an operator delete. */
#include <sys/wait.h>

#include "truth.h"

extern const char *become;

int main(int argc, char **argv)
{
	int status;

	MUST(argc == 2);
	stage("ready");
	for (int i = 0; i < 5; i++) {
		int *volatile block = new int[4];
		pid_t child = vfork();

		if (child == 0) {
			become = argv[1];
			operator delete[](block, 16);
			_exit(119);
		}
		become = nullptr;
		MUST(waitpid(child, &status, 0) == child);
		MUST(WIFEXITED(status) && WEXITSTATUS(status) == 7);
		operator delete[](block, 16);
	}
	stage("done");
	return correct();
}
