/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Templates of the stubs that patched functions jump to; each one ends in its literals
 * (struct agent_literals), which the tracer fills in.  Position independent, 8-aligned.
 *
 *	S      return address of the call
 *	S-72   struct agent_registers: nine words, so that the stack is aligned again
 *	S-80   return address into the stub, of the hook or of the real function
 *	S-152  what the real function has left in the same registers
 *
 * Return addresses are neither written nor moved (shadow stacks), vector registers are not
 * touched.  The word at S-80 stays until the stub is left: by it calls.c knows a stub's frame.
 */
#define REGISTERS 72
#define RESULTS 80

	.macro save_registers
	push	%r11
	push	%r10
	push	%r9
	push	%r8
	push	%rax
	push	%rcx
	push	%rdx
	push	%rsi
	push	%rdi
	.endm

	/* Flags stay as they are. */
	.macro restore_registers
	mov	0(%rsp), %rdi
	mov	8(%rsp), %rsi
	mov	16(%rsp), %rdx
	mov	24(%rsp), %rcx
	mov	32(%rsp), %rax
	mov	40(%rsp), %r8
	mov	48(%rsp), %r9
	mov	56(%rsp), %r10
	mov	64(%rsp), %r11
	.endm

	.macro call_before literals
	save_registers
	mov	%rsp, %rdi
	lea	\literals+24(%rip), %rsi
	mov	%rbp, %rdx
	call	*\literals(%rip)
	.endm

	.macro literals label
	.balign	16, 0xcc	/* so that the template ends with them */
\label:	.fill	4, 8, 0
	.endm

	.macro template name
	.globl	\name
	.hidden	\name
	.balign	16, 0xcc
\name:
	.endm

	.text

template agent_call
	call_before 9f
	test	%eax, %eax
	restore_registers
	jnz	1f
	lea	REGISTERS(%rsp), %rsp
	jmp	*9f+16(%rip)
1:	call	*9f+16(%rip)
	.globl	agent_call_return
	.hidden	agent_call_return
agent_call_return:
	lea	-8(%rsp), %rsp
	save_registers
	lea	RESULTS(%rsp), %rdi
	lea	9f+24(%rip), %rsi
	mov	%rbp, %rdx
	mov	%rax, %rcx
	call	*9f+8(%rip)
	restore_registers
	lea	RESULTS+REGISTERS(%rsp), %rsp
	ret
literals 9
template agent_call_end

template agent_jump
	call_before 9f
	restore_registers
	lea	REGISTERS(%rsp), %rsp
	jmp	*9f+16(%rip)
literals 9
template agent_jump_end

	.section .note.GNU-stack, "", @progbits
