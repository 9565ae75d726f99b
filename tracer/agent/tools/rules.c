/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rules ELF OUT: the unwind rules (symbolizer/rules.h) of the agent's image.  Run while building,
 * since the target gets the image without its .eh_frame.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../../symbolizer/rules.h"
#include "../../../symbolizer/rules_build.h"

static int fail(const char *what)
{
	fprintf(stderr, "rules: %s\n", what);
	return 1;
}

static int build(const char *path)
{
	int file = open(path, O_RDONLY | O_CLOEXEC), rules;
	Elf *elf;

	if (file < 0 || elf_version(EV_CURRENT) == EV_NONE)
		return -1;
	elf = elf_begin(file, ELF_C_READ, NULL);
	rules = elf ? rules_build(elf) : -1;
	elf_end(elf);
	close(file);
	return rules;
}

int main(int argc, char **argv)
{
	int rules = argc == 3 ? build(argv[1]) : -1, out;
	struct stat status;
	off_t at = 0;

	if (rules < 0 || fstat(rules, &status))
		return fail("no rules");
	out = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (out < 0 || sendfile(out, rules, &at, (size_t)status.st_size) != status.st_size)
		return fail("cannot write");
	close(rules);
	return close(out) ? fail("cannot write") : 0;
}
