/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Allocates so little that nothing of it is sampled, once in some ten million runs. */
#include "truth.h"

int main(void)
{
	T_MALLOC(20);
	return correct();
}
