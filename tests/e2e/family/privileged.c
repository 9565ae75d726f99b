/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Set-id or with a capability: ends with 7 if it has what its file gives it. */
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	syscall(SYS_capget, &header, data);
	return geteuid() == 0 || data[0].effective & 1u << CAP_NET_RAW ? 7 : 8;
}
