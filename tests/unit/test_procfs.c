/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whose a process is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tracer/target/procfs.h"

#define NOBODY 65534

static void drop_capabilities(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct none[2] = { { 0 } };

	assert_int_equal(syscall(SYS_capset, &header, none), 0);
}

/* Runs `change` in a child, then `look` there or here. */
static bool in_child(void (*change)(void), bool (*look)(pid_t child))
{
	char ready;
	int said[2], wait[2], status;
	bool result;
	pid_t child;

	assert_int_equal(pipe(said), 0);
	assert_int_equal(pipe(wait), 0);
	child = fork();
	if (!child) {
		close(wait[1]);
		change();
		if (!look)
			_exit(procfs_is_ours(getppid()));
		_exit(write(said[1], "", 1) != 1 || read(wait[0], &ready, 1) != 0);
	}
	close(wait[0]);
	result = look && read(said[0], &ready, 1) == 1 && look(child);
	close(wait[1]);
	close(said[0]);
	close(said[1]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return look ? result : WEXITSTATUS(status);
}

static void nothing(void)
{
}

static void other_user(void)
{
	assert_int_equal(setresuid(NOBODY, -1, -1), 0);
}

static void other_group(void)
{
	assert_int_equal(setresgid(-1, -1, NOBODY), 0);
}

static void itself_and_its_children(void **state)
{
	assert_true(procfs_is_ours(getpid()));
	assert_true(in_child(nothing, procfs_is_ours));
}

static void others(void **state)
{
	if (geteuid())
		skip();
	assert_false(in_child(other_user, procfs_is_ours));
	assert_false(in_child(other_group, procfs_is_ours));
}

static void capabilities(void **state)
{
	if (geteuid())
		skip();
	assert_true(in_child(drop_capabilities, procfs_is_ours));
	assert_false(in_child(drop_capabilities, NULL));
	assert_true(in_child(nothing, NULL));
}

static void one_that_is_gone(void **state)
{
	pid_t child = fork();

	if (!child)
		_exit(0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_false(procfs_is_ours(child));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(itself_and_its_children),
		cmocka_unit_test(others),
		cmocka_unit_test(capabilities),
		cmocka_unit_test(one_that_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
