/* SPDX-License-Identifier: GPL-2.0-or-later */
/* User, capabilities and limits; the filter of system calls is in forbidden.c. */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#ifndef __has_feature
#define __has_feature(name) 0
#endif

#define NOBODY 65534
#define GIB (1ull << 30)
#define MEMORY_MIN (4 * GIB)		/* cc1plus and a debug file of 2 GB, mapped */
#define MEMORY_MAX (16 * GIB)
#define RULES_FILE_MAX (GIB / 4)
#define DEBUG_FILE_MAX (8 * GIB)
#define FILES_MAX (1u << 18)		/* up to three a module */

struct user {
	uid_t uid;
	gid_t gid;
};

static bool has_other_user;

bool sandbox_has_other_user(void)
{
	return has_other_user;
}

/* 0 stands for none: root is nobody to become. */
static uint32_t id_in(const char *variable)
{
	const char *text = getenv(variable);
	unsigned long id;
	char *end;

	if (!text || *text < '0' || *text > '9')
		return 0;
	errno = 0;
	id = strtoul(text, &end, 10);
	return errno || *end || id >= UINT32_MAX ? 0 : (uint32_t)id;
}

static struct user invoking_user(void)
{
	struct user user = { getuid(), getgid() };

	if (user.uid)
		return user;
	user = (struct user){ id_in("SUDO_UID"), id_in("SUDO_GID") };
	return user.uid && user.gid ? user : (struct user){ NOBODY, NOBODY };
}

/* -EPERM, -EINVAL: the kernel does not let us. */
static int become(struct user user)
{
	if (setgroups(0, NULL) || setresgid(user.gid, user.gid, user.gid) ||
	    setresuid(user.uid, user.uid, user.uid))
		return -errno;
	return 0;
}

static int drop_root(void)
{
	int ret;

	if (geteuid() && getuid())
		return 0;
	ret = become(invoking_user());
	has_other_user = !ret;
	return ret == -EPERM || ret == -EINVAL ? 0 : ret;
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

	return syscall(SYS_capset, &header, none) ? -errno : 0;
}

static rlim_t address_space(void)
{
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
	return RLIM_INFINITY;		/* its shadow alone takes 16 TB */
#else
	struct sysinfo info;
	uint64_t half = sysinfo(&info) ? 0 : (uint64_t)info.totalram * info.mem_unit / 2;

	return half < MEMORY_MIN ? MEMORY_MIN : half > MEMORY_MAX ? MEMORY_MAX : half;
#endif
}

static int set_limit(int resource, rlim_t most)
{
	struct rlimit limit;

	if (getrlimit(resource, &limit))
		return -errno;
	if (limit.rlim_max > most)
		limit.rlim_max = most;
	limit.rlim_cur = limit.rlim_max;
	return setrlimit(resource, &limit) ? -errno : 0;
}

static int set_limits(bool downloads)
{
	if (set_limit(RLIMIT_CORE, 0) || set_limit(RLIMIT_AS, address_space()) ||
	    set_limit(RLIMIT_FSIZE, downloads ? DEBUG_FILE_MAX : RULES_FILE_MAX) ||
	    set_limit(RLIMIT_NOFILE, FILES_MAX))
		return -EPERM;
	return 0;
}

/* When memory runs out, let it be this process that goes, and not the target. */
static void go_first(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)!write(fd, "1000", 4);
	close(fd);
}

/* Not dumpable: another process of that user could read the target's files out of this one. */
int sandbox_enter(bool downloads)
{
	int ret;

	go_first();
	ret = set_limits(downloads);
	if (!ret)
		ret = drop_root();
	if (!ret)
		ret = drop_capabilities();
	if (!ret && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0)))
		ret = -errno;
	return ret;
}

void sandbox_allow_cpu(unsigned int seconds)
{
	struct rusage used;
	struct rlimit limit;

	if (getrusage(RUSAGE_SELF, &used) || getrlimit(RLIMIT_CPU, &limit))
		return;
	limit.rlim_cur = (rlim_t)used.ru_utime.tv_sec + (rlim_t)used.ru_stime.tv_sec + 2 + seconds;
	if (limit.rlim_cur > limit.rlim_max)
		limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_CPU, &limit);
}
