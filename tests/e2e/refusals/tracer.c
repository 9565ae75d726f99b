/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Traces the process argv[1] until its input ends, and does nothing else to it. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char byte;

	if (argc < 2 || ptrace(PTRACE_SEIZE, atoi(argv[1]), 0, 0))
		return 1;
	if (write(1, "tracing\n", 8) != 8)
		return 1;
	while (read(0, &byte, 1) > 0)
		;
	return 0;
}
