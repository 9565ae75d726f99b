/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See program.h. */
#include "program.h"

#include <elf.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* As much of a script's first line as the kernel reads: BINPRM_BUF_SIZE. */
#define HEAD_BYTES 256

static ssize_t read_head(const char *path, char head[HEAD_BYTES])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	ssize_t got = fd < 0 ? -1 : read(fd, head, HEAD_BYTES);

	if (fd >= 0)
		close(fd);
	return got;
}

static enum program_kind kind_of_elf(const char *head)
{
	Elf32_Half machine;

	if (head[EI_CLASS] != ELFCLASS32)
		return PROGRAM_NATIVE;
	memcpy(&machine, head + offsetof(Elf32_Ehdr, e_machine), sizeof(machine));
	return machine == EM_X86_64 ? PROGRAM_X32 : PROGRAM_32_BIT;
}

static void copy_interpreter(const char *head, size_t bytes, char *interpreter)
{
	static const char blanks[] = " \t\r\n";
	char line[HEAD_BYTES + 1], *start;

	memcpy(line, head, bytes);
	line[bytes] = '\0';
	start = line + 2 + strspn(line + 2, " \t");
	start[strcspn(start, blanks)] = '\0';
	snprintf(interpreter, PROGRAM_INTERPRETER_MAX, "%.*s", PROGRAM_INTERPRETER_MAX - 1, start);
}

enum program_kind program_kind(const char *path, char *interpreter)
{
	char head[HEAD_BYTES];
	ssize_t got = read_head(path, head);

	if (interpreter)
		*interpreter = '\0';
	if (got < 0)
		return PROGRAM_UNKNOWN;
	if (got >= (ssize_t)sizeof(Elf32_Ehdr) && !memcmp(head, ELFMAG, SELFMAG))
		return kind_of_elf(head);
	if (got < 2 || memcmp(head, "#!", 2))
		return PROGRAM_OTHER;
	if (interpreter)
		copy_interpreter(head, (size_t)got, interpreter);
	return PROGRAM_SCRIPT;
}

enum program_kind program_of_process(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	return program_kind(path, NULL);
}
