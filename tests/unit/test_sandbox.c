/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the sandbox leaves to a process: seen from inside, in children that enter it.  As another
 * user than root only the part that needs no rights is there to be tested.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../symbolizer/sandbox.h"

#ifndef __has_feature
#define __has_feature(name) 0
#endif

/* Status of a child that runs it; -1: it was ended by a signal. */
static int in_child(int (*test)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid)
		_exit(test());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* A field of our status file, which is readable still. */
static bool says(const char *field, const char *value)
{
	FILE *file = fopen("/proc/self/status", "re");
	char line[256], wanted[128];
	bool found = false;

	snprintf(wanted, sizeof(wanted), "%s:\t%s\n", field, value);
	while (file && !found && fgets(line, sizeof(line), file))
		found = !strcmp(line, wanted);
	if (file)
		fclose(file);
	return found;
}

static bool is_user(uid_t uid, gid_t gid)
{
	uid_t u[3];
	gid_t g[3];

	return !getresuid(&u[0], &u[1], &u[2]) && !getresgid(&g[0], &g[1], &g[2]) && u[0] == uid &&
	       u[1] == uid && u[2] == uid && g[0] == gid && g[1] == gid && g[2] == gid &&
	       !getgroups(0, NULL);
}

static int enter_as(const char *uid, const char *gid, uid_t found_uid, gid_t found_gid)
{
	if (uid)
		setenv("SUDO_UID", uid, 1);
	else
		unsetenv("SUDO_UID");
	if (gid)
		setenv("SUDO_GID", gid, 1);
	else
		unsetenv("SUDO_GID");
	if (sandbox_enter(false) || !sandbox_has_other_user())
		return 1;
	return is_user(found_uid, found_gid) ? 0 : 2;
}

static int as_sudo_user(void) { return enter_as("1234", "2345", 1234, 2345); }
static int as_nobody(void) { return enter_as(NULL, NULL, 65534, 65534); }
static int as_sudo_root(void) { return enter_as("0", "0", 65534, 65534); }
static int as_half_a_user(void) { return enter_as("1234", NULL, 65534, 65534); }
static int as_minus_one(void) { return enter_as("4294967295", "1", 65534, 65534); }
static int as_nonsense(void) { return enter_as("12x", "-1", 65534, 65534); }
static int as_too_much(void) { return enter_as("18446744073709551617", "1", 65534, 65534); }

static void test_user(void **state)
{
	if (geteuid())
		skip();
	assert_int_equal(in_child(as_sudo_user), 0);
	assert_int_equal(in_child(as_nobody), 0);
	assert_int_equal(in_child(as_sudo_root), 0);
	assert_int_equal(in_child(as_half_a_user), 0);
	assert_int_equal(in_child(as_minus_one), 0);
	assert_int_equal(in_child(as_nonsense), 0);
	assert_int_equal(in_child(as_too_much), 0);
}

static int without_rights(void)
{
	static const char none[] = "0000000000000000";

	if (sandbox_enter(false))
		return 1;
	if (!says("CapEff", none) || !says("CapPrm", none) || !says("CapInh", none) ||
	    !says("CapAmb", none) || !says("NoNewPrivs", "1"))
		return 2;
	if (prctl(PR_GET_DUMPABLE) != 0)
		return 3;
	return sandbox_has_other_user() && (!setuid(0) || !setgid(0)) ? 4 : 0;
}

static void test_rights(void **state)
{
	assert_int_equal(in_child(without_rights), 0);
}

static rlim_t limit(int resource)
{
	struct rlimit limit;

	return getrlimit(resource, &limit) ? 0 : limit.rlim_max;
}

static int within_limits(void)
{
	if (sandbox_enter(false))
		return 1;
	return limit(RLIMIT_CORE) == 0 && limit(RLIMIT_FSIZE) <= 1 << 28 &&
	       limit(RLIMIT_NOFILE) <= 1 << 18 ? 0 : 2;
}

/* More than the most that it may be given. */
static int within_memory(void)
{
	if (sandbox_enter(false))
		return 1;
	return mmap(NULL, 1ull << 36, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
		    0) == MAP_FAILED ? 0 : 2;
}

static void test_limits(void **state)
{
	assert_int_equal(in_child(within_limits), 0);
#if !defined(__SANITIZE_ADDRESS__) && !__has_feature(address_sanitizer)
	assert_int_equal(in_child(within_memory), 0);
#endif
}

static int spins(void)
{
	if (sandbox_enter(false))
		return 1;
	sandbox_allow_cpu(0);
	for (volatile uint64_t i = 0; i < UINT64_MAX; i++)
		;
	return 0;
}

static uint64_t cpu_seconds(void)
{
	struct rusage used;

	getrusage(RUSAGE_SELF, &used);
	return (uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec);
}

/* Each time anew: a process that has used more than one allowance goes on. */
static int works_on(void)
{
	if (sandbox_enter(false))
		return 1;
	for (uint64_t start = cpu_seconds(); cpu_seconds() < start + 4;)
		sandbox_allow_cpu(0);
	return 0;
}

static void test_cpu(void **state)
{
	assert_int_equal(in_child(spins), -1);
	assert_int_equal(in_child(works_on), 0);
}

static bool is_refused(long ret)
{
	return ret == -1 && errno == EPERM;
}

static int forbidden(void)
{
	char *const none[] = { NULL };

	if (sandbox_enter(false))
		return 1;
	sandbox_forbid_calls(false);
	if (!is_refused(execve("/bin/true", none, none)) || !is_refused(kill(getppid(), 0)) ||
	    !is_refused(ptrace(PTRACE_ATTACH, getppid(), 0, 0)))
		return 2;
	return is_refused(socket(AF_INET, SOCK_STREAM, 0)) ? 0 : 3;
}

static int forbidden_but_the_network(void)
{
	if (sandbox_enter(true))
		return 1;
	sandbox_forbid_calls(true);
	return is_refused(kill(getppid(), 0)) && socket(AF_UNIX, SOCK_STREAM, 0) >= 0 ? 0 : 2;
}

static void test_forbidden_calls(void **state)
{
	assert_int_equal(in_child(forbidden), 0);
	assert_int_equal(in_child(forbidden_but_the_network), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_user),
		cmocka_unit_test(test_rights),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_cpu),
		cmocka_unit_test(test_forbidden_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
