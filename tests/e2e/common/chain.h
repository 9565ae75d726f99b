/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * outer -> middle -> inner, which allocates: functions that stay functions and frames, for
 * stacks that are known in advance.
 */
#ifndef CHAIN_H
#define CHAIN_H

#include "truth.h"

#define A_FRAME __attribute__((noinline, noclone, optimize("no-optimize-sibling-calls")))

A_FRAME int inner(int n)
{
	char *block = T_MALLOC(n);		/* LIVE inner */

	block[0] = n;
	return block[0] + 1;
}

A_FRAME int middle(int n)
{
	return inner(n) + 1;
}

A_FRAME int outer(int n)
{
	return middle(n) + 1;
}

#endif
