/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All is in a library. */
int work(void);

int main(void)
{
	return work();
}
