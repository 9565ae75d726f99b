/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words for what is refused, from facts that no machine has all of; and what is found out
 * before anything is done: a program's kind, a command's file, whether a file can be written.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../tracer/command.h"
#include "../../tracer/denial.h"
#include "../../tracer/target/program.h"
#include "../../tracer/writable.h"
#include "folder.h"

static void check_words(const struct denial *denial, const char *expected, const char *also)
{
	char words[512];

	denial_words(denial, words, sizeof(words));
	if (strncmp(words, "not permitted", 13) || !strstr(words, expected) || !strstr(words, also))
		fail_msg("no '%s' and '%s' in '%s'", expected, also, words);
	assert_true(strlen(words) < sizeof(words) - 1);
	assert_null(strchr(words, '\n'));
}

#define WORDS(expected, also, ...) \
	check_words(&(struct denial){ .pid = 42, __VA_ARGS__ }, expected, also)

static void yama(void **state)
{
	WORDS("ptrace_scope is 1", "run `sudo memtrace -p 42`", .scope = 1);
	WORDS("ptrace_scope is 2", "sudo", .scope = 2);
	WORDS("ptrace_scope is 3: nothing may be traced", "next boot", .scope = 3);
	WORDS("ptrace_scope is 3", "next boot", .scope = 3, .is_root = true,
	      .has_capability = true);
	check_words(&(struct denial){ .scope = 2 }, "ptrace_scope is 2", "run memtrace with sudo");
}

static void users(void **state)
{
	WORDS("pid 42 belongs to user 1000", "sudo memtrace -p 42", .is_other_user = true,
	      .user = 1000);
	WORDS("pid 42 belongs to user 0", "sudo", .is_other_user = true, .scope = 1);
	WORDS("set-user-ID, or it may not dump core", "sudo memtrace -p 42");
}

static void containers(void **state)
{
	WORDS("CAP_SYS_PTRACE is missing", "docker --cap-add SYS_PTRACE", .is_root = true);
	WORDS("CAP_SYS_PTRACE is missing", "kubectl debug --profile=general", .is_root = true,
	      .scope = 1);
	WORDS("another user namespace", "on the host", .is_root = true, .has_capability = true,
	      .is_other_namespace = true);
	check_words(&(struct denial){ .has_filter = true }, "a seccomp filter on memtrace",
		    "seccomp=unconfined");
	check_words(&(struct denial){ .is_root = true }, "CAP_SYS_PTRACE is missing", "cap-add");
	WORDS("a seccomp filter on memtrace", "seccomp=unconfined", .is_root = true,
	      .has_capability = true, .has_filter = true);
}

static void security_modules(void **state)
{
	WORDS("to `docker-default (enforce)`", "apparmor=unconfined", .is_root = true,
	      .has_capability = true, .label = "docker-default (enforce)");
	WORDS("to `system_u:system_r:x_t:s0`", "deny_ptrace off", .is_root = true,
	      .has_capability = true, .label = "system_u:system_r:x_t:s0");
	WORDS("to `a\\x1b[2J`", "AppArmor", .has_capability = true, .label = "a\033[2J");
	WORDS("whatever capabilities", "audit log", .is_root = true,
	      .has_capability = true);
}

static void kernels(void **state)
{
	assert_string_equal(denial_of_kernel("3.2.0-4-amd64"), "Linux 3.2 is too old: 3.4 is needed "
			    "to attach, 5.6 for the engine jump");
	assert_non_null(denial_of_kernel("2.6.32"));
	assert_non_null(denial_of_kernel("3"));
	assert_null(denial_of_kernel("3.4"));
	assert_null(denial_of_kernel("3.10.0-1160.el7"));
	assert_null(denial_of_kernel("6.18.44"));
	assert_null(denial_of_kernel("10.0"));
	assert_null(denial_of_kernel("unheard of"));
}

static enum program_kind kind_of(const void *head, size_t bytes, char *interpreter)
{
	const char *path = in_folder("program");
	int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0666);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, head, bytes), bytes);
	close(fd);
	return program_kind(path, interpreter);
}

static enum program_kind kind_of_elf(char class, char machine, size_t bytes)
{
	char head[64] = { 0x7f, 'E', 'L', 'F', class, 1, 1, [18] = machine };

	return kind_of(head, bytes, NULL);
}

static void programs(void **state)
{
	assert_int_equal(kind_of_elf(2, 62, 64), PROGRAM_NATIVE);
	assert_int_equal(kind_of_elf(1, 62, 64), PROGRAM_X32);
	assert_int_equal(kind_of_elf(1, 3, 64), PROGRAM_32_BIT);
	assert_int_equal(kind_of_elf(1, 3, 20), PROGRAM_OTHER);
	assert_int_equal(kind_of("", 0, NULL), PROGRAM_OTHER);
	assert_int_equal(program_kind(in_folder("none"), NULL), PROGRAM_UNKNOWN);
	assert_int_equal(program_kind(folder, NULL), PROGRAM_UNKNOWN);
	assert_int_equal(program_of_process(getpid()), PROGRAM_NATIVE);
}

static void check_interpreter(const char *text, size_t bytes, const char *expected)
{
	char interpreter[PROGRAM_INTERPRETER_MAX];

	assert_int_equal(kind_of(text, bytes, interpreter), PROGRAM_SCRIPT);
	assert_string_equal(interpreter, expected);
}

static void interpreters(void **state)
{
	char interpreter[PROGRAM_INTERPRETER_MAX], longest[600];

	check_interpreter("#!/bin/sh\nexit", 14, "/bin/sh");
	check_interpreter("#! \t/usr/bin/env -S x\n", 22, "/usr/bin/env");
	check_interpreter("#!/bin/sh\r\n", 11, "/bin/sh");
	check_interpreter("#!/bin/sh", 9, "/bin/sh");
	check_interpreter("#!", 2, "");
	check_interpreter("#!\n", 3, "");
	check_interpreter("#!/a\0b\n", 7, "/a");
	memset(longest, 'x', sizeof(longest));
	memcpy(longest, "#!", 2);
	assert_int_equal(kind_of(longest, sizeof(longest), interpreter), PROGRAM_SCRIPT);
	assert_int_equal(strlen(interpreter), 254);
}

static void commands(void **state)
{
	write_file("plain", "text");
	char path[64], *before = getenv("PATH") ? strdup(getenv("PATH")) : NULL;

	assert_int_equal(command_find("", path, sizeof(path)), -ENOENT);
	setenv("PATH", "/no/such:/bin", 1);
	assert_int_equal(command_find("sh", path, sizeof(path)), 0);
	assert_string_equal(path, "/bin/sh");
	assert_int_equal(command_find("no-such-command", path, sizeof(path)), -ENOENT);
	assert_int_equal(command_find("/bin/sh", path, sizeof(path)), 0);
	assert_int_equal(command_find("/bin", path, sizeof(path)), -EISDIR);
	setenv("PATH", "/", 1);
	assert_int_equal(command_find("bin", path, sizeof(path)), -EISDIR);
	assert_string_equal(path, "//bin");
	setenv("PATH", folder, 1);
	assert_int_equal(command_find("plain", path, sizeof(path)), -EACCES);
	assert_string_equal(path, in_folder("plain"));
	unsetenv("PATH");
	assert_int_equal(command_find("sh", path, sizeof(path)), 0);
	assert_string_equal(path, "/bin/sh");
	setenv("PATH", "", 1);
	assert_int_equal(command_find("sh", path, sizeof(path)), -ENOENT);
	if (before)
		setenv("PATH", before, 1);
	free(before);
}

static void files(void **state)
{
	assert_int_equal(writable_check(""), -ENOENT);
	assert_int_equal(writable_check(in_folder("new")), 0);
	assert_int_equal(access(in_folder("new"), F_OK), -1);
	assert_int_equal(writable_check(folder), -EISDIR);
	assert_int_equal(writable_check(in_folder("no/such")), -ENOENT);
	assert_int_equal(writable_check("/dev/null"), 0);
	assert_int_equal(writable_check("/dev/null/x"), -ENOTDIR);
	assert_int_equal(writable_check("new"), 0);
	run("ln -s nowhere link && touch kept");
	assert_int_equal(writable_check(in_folder("kept")), 0);
	assert_int_equal(writable_check(in_folder("link")), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(yama),
		cmocka_unit_test(users),
		cmocka_unit_test(containers),
		cmocka_unit_test(security_modules),
		cmocka_unit_test(kernels),
		cmocka_unit_test(programs),
		cmocka_unit_test(interpreters),
		cmocka_unit_test(commands),
		cmocka_unit_test(files),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
