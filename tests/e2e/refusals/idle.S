/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A program without a C library that waits to be ended; for 32 and for 64 bits. */
	.globl _start
_start:
#ifdef __i386__
	mov	$29, %eax		# pause
	int	$0x80
#else
	mov	$34, %eax
	syscall
#endif
	jmp	_start
#ifdef GO
	.section .go.buildinfo, "aw"
	.ascii	"\xff Go buildinf:"
#endif
	.section .note.GNU-stack, "", @progbits
