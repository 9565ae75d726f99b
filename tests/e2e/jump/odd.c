/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A realloc that cannot be jumped from, since it branches into its own first bytes; all else is
 * glibc's.  Blocks move between addresses whose events nobody takes in order.
 */
#include "truth.h"

__asm__(".pushsection .text\n"
	".globl realloc\n"
	".type realloc, @function\n"
	"realloc:\n"
	"	.cfi_startproc\n"
	"	xor %eax, %eax\n"
	"1:	inc %eax\n"
	"	cmp $1, %eax\n"
	"	jl 1b\n"
	"	jmp __libc_realloc@PLT\n"
	"	.cfi_endproc\n"
	".size realloc, . - realloc\n"
	".popsection\n");

int main(void)
{
	size_t sizes[16];
	char *blocks[16];

	stage("ready");
	for (int i = 0; i < 16; i++)
		blocks[i] = T_MALLOC(sizes[i] = 60);
	for (int i = 0; i < 1600; i++) {
		size_t size = 50 + i * 7 % 3000;

		blocks[i % 16] = T_REALLOC(blocks[i % 16], sizes[i % 16], size);	/* LIVE */
		sizes[i % 16] = size;
	}
	tell_truth();
	stage("done");
	return correct();
}
