/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rules are those of __ptrace_may_access() in the kernel, and of the modules behind it. */
#include "denial.h"

#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/inert.h"
#include "target/procfs.h"

#define SCOPE_PATH "/proc/sys/kernel/yama/ptrace_scope"
#define IN_A_CONTAINER "in a container: docker --cap-add SYS_PTRACE, or kubectl debug " \
	"--profile=general"

static bool read_line(const char *path, char *buffer, size_t bytes)
{
	FILE *file = fopen(path, "re");
	bool got = file && fgets(buffer, (int)bytes, file);

	if (file)
		fclose(file);
	if (got)
		buffer[strcspn(buffer, "\n")] = '\0';
	return got;
}

/* The first one of the machine maps all users to themselves. */
static bool is_in_a_namespace(void)
{
	unsigned first, outside, nr;
	char line[64];

	return read_line("/proc/self/uid_map", line, sizeof(line)) &&
	       sscanf(line, "%u %u %u", &first, &outside, &nr) == 3 &&
	       (first || outside || nr != UINT_MAX);
}

/* What is outside of ours may not even be looked at. */
static bool is_other_namespace(pid_t pid)
{
	struct stat ours, theirs;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	if (stat("/proc/self/ns/user", &ours))
		return false;
	return stat(path, &theirs) ? is_in_a_namespace() : ours.st_ino != theirs.st_ino;
}

static void gather_process(struct denial *denial)
{
	long user = procfs_status_number(denial->pid, "Uid");

	denial->user = user < 0 ? (uid_t)-1 : (uid_t)user;
	denial->is_other_user = user >= 0 && (uid_t)user != getuid();
	denial->is_other_namespace = is_other_namespace(denial->pid);
}

void denial_gather(struct denial *denial, pid_t pid)
{
	char line[32];

	*denial = (struct denial){ .pid = pid, .is_root = !geteuid() };
	if (read_line(SCOPE_PATH, line, sizeof(line)))
		denial->scope = atoi(line);
	denial->has_capability = procfs_capable(getpid(), CAP_SYS_PTRACE);
	denial->has_filter = procfs_status_number(getpid(), "Seccomp") == 2;
	if (!read_line("/proc/self/attr/current", denial->label, sizeof(denial->label)) ||
	    !strcmp(denial->label, "unconfined"))
		denial->label[0] = '\0';
	if (pid)
		gather_process(denial);
}

static const char *without_capability(const struct denial *denial, char *buffer, size_t bytes)
{
	if (denial->is_root)
		snprintf(buffer, bytes, "not permitted: CAP_SYS_PTRACE is missing; " IN_A_CONTAINER);
	else if (!denial->pid)
		snprintf(buffer, bytes, "not permitted: ptrace_scope is %d; run memtrace with sudo",
			 denial->scope);
	else if (denial->is_other_user)
		snprintf(buffer, bytes, "not permitted: pid %d belongs to user %u; run `sudo "
			 "memtrace -p %d`", denial->pid, denial->user, denial->pid);
	else if (denial->scope)
		snprintf(buffer, bytes, "not permitted: ptrace_scope is %d; run `sudo memtrace -p "
			 "%d`", denial->scope, denial->pid);
	else
		snprintf(buffer, bytes, "not permitted: pid %d is protected (set-user-ID, or it may "
			 "not dump core); run `sudo memtrace -p %d`", denial->pid, denial->pid);
	return buffer;
}

static const char *in_spite_of_it(const struct denial *denial, char *buffer, size_t bytes)
{
	char label[2 * DENIAL_LABEL_BYTES];

	if (denial->is_other_namespace)
		snprintf(buffer, bytes, "not permitted: pid %d is in another user namespace, where "
			 "CAP_SYS_PTRACE is not ours; run memtrace on the host, or in there",
			 denial->pid);
	else if (denial->has_filter)
		snprintf(buffer, bytes, "not permitted: a seccomp filter on memtrace forbids "
			 "ptrace; in a container: docker --security-opt seccomp=unconfined");
	else if (*denial->label)
		snprintf(buffer, bytes, "not permitted: a security module of the kernel forbids it "
			 "to `%s`, as which memtrace runs; AppArmor: docker --security-opt "
			 "apparmor=unconfined; SELinux: setsebool deny_ptrace off, ausearch -m avc",
			 inert(label, sizeof(label), denial->label));
	else
		snprintf(buffer, bytes, "not permitted: a security module of the kernel forbids it, "
			 "whatever capabilities memtrace has; see dmesg and the audit log");
	return buffer;
}

const char *denial_words(const struct denial *denial, char *buffer, size_t bytes)
{
	if (denial->scope == 3)
		snprintf(buffer, bytes, "not permitted: ptrace_scope is 3: nothing may be traced "
			 "before the next boot, with another value in /etc/sysctl.d");
	else if (!denial->has_capability && (denial->pid || denial->is_root || denial->scope))
		return without_capability(denial, buffer, bytes);
	else
		return in_spite_of_it(denial, buffer, bytes);
	return buffer;
}

const char *denial_of_kernel(const char *release)
{
	static char words[128];
	int major = 0, minor = 0;

	if (sscanf(release, "%d.%d", &major, &minor) < 1 || major > 3 ||
	    (major == 3 && minor >= 4))
		return NULL;
	snprintf(words, sizeof(words), "Linux %d.%d is too old: 3.4 is needed to attach, 5.6 for "
		 "the engine jump", major, minor);
	return words;
}
