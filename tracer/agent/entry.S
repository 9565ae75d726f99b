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
 *
 * A handler may come at any instruction, so each one that moves the stack pointer says so in the
 * unwind data (CFA = S+8); probe/detour_rules.c copies its rules along with the code.
 */
#include "layout.h"

#define REGISTERS 72
#define RESULTS 80

	.macro save_registers
	.irp	register, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi
	push	%\register
	.cfi_adjust_cfa_offset 8
	.endr
	.endm

	/* Flags stay as they are. */
	.macro move_sp bytes
	lea	\bytes(%rsp), %rsp
	.cfi_adjust_cfa_offset -(\bytes)
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
	.cfi_endproc
	.balign	16, 0xcc	/* so that the template ends with them */
\label:	.fill	AGENT_LITERALS, 8, 0
	.endm

	.macro template name
	.globl	\name
	.hidden	\name
	.balign	16, 0xcc
\name:
	.endm

	/*
	 * Sampling: nearly no call is drawn, and nearly no block that is freed was.  That is found
	 * out right here, in what lies below the stack pointer, which nobody else may use.  What
	 * is in doubt goes the whole way: a call that is drawn, one of 0 bytes, a thread whose
	 * place is not its first one.  A call that may make others is wrapped, so that they are
	 * hidden; nothing is saved for it, since nothing is to be told.
	 *
	 * As agent_sample() and agent_thread_get() in C.
	 */
	.macro keep_lean
	mov	%rax, -8(%rsp)
	mov	%rcx, -16(%rsp)
	mov	%rdx, -24(%rsp)
	.endm

	.macro restore_lean
	mov	-8(%rsp), %rax
	mov	-16(%rsp), %rcx
	mov	-24(%rsp), %rdx
	.endm

	/* rcx = the thread's place; rax goes. */
	.macro lean_thread literals, whole
	rdfsbase %rax
	movabs	$AGENT_GOLDEN, %rcx
	imul	%rax, %rcx
	shr	$AGENT_THREADS_SHIFT, %rcx
	and	$AGENT_THREADS_MASK, %ecx
	imul	$AGENT_THREAD_BYTES, %rcx, %rcx
	add	\literals+AGENT_LITERAL_TABLE(%rip), %rcx
	cmp	%rax, AGENT_THREAD_KEY(%rcx)
	jne	\whole
	.endm

	/* rdx = what is asked for, where that is not just rdi; no block that was drawn may be
	 * resized.  rax goes. */
	.macro lean_size literals, whole, done
	ja	5f
	imul	%rsi, %rdx
	jo	\whole
	jmp	\done
5:	movabs	$AGENT_GOLDEN, %rax
	imul	%rdi, %rax
	shr	$AGENT_LINES_SHIFT, %rax
	and	$AGENT_LINES_MASK, %eax
	add	\literals+AGENT_LITERAL_TABLE(%rip), %rax
	cmpb	$0, -AGENT_NEAR_TO_THREADS(%rax)
	jne	\whole
	mov	%rsi, %rdx
	jmp	\done
	.endm

	/* As agent_calls_push() and agent_calls_pop() of a call of which nothing is to be told;
	 * they say why it is written twice.  rcx: the thread; rax and rdx go. */
	.macro lean_push literals
	movzwl	\literals+24(%rip), %eax
	add	%edx, %edx
	mov	%rsp, AGENT_THREAD_CALLS(%rcx, %rdx, 8)
	mov	%rax, AGENT_THREAD_CALLS+8(%rcx, %rdx, 8)
	shr	%edx
	inc	%edx
	mov	%edx, AGENT_THREAD_NR_CALLS(%rcx)
	add	%edx, %edx
	mov	%rsp, AGENT_THREAD_CALLS-16(%rcx, %rdx, 8)
	mov	%rax, AGENT_THREAD_CALLS-8(%rcx, %rdx, 8)
	.endm

	.macro lean_pop whole
	mov	AGENT_THREAD_NR_CALLS(%rcx), %edx
	dec	%edx
	cmp	$AGENT_CALLS_MAX, %edx
	jae	\whole
	lea	RESULTS(%rsp), %rax
	add	%edx, %edx
	cmp	%rax, AGENT_THREAD_CALLS(%rcx, %rdx, 8)
	jne	\whole
	cmpl	$0, AGENT_THREAD_CALLS+12(%rcx, %rdx, 8)
	jne	\whole
	shr	%edx
	mov	%edx, AGENT_THREAD_NR_CALLS(%rcx)
	.endm

	.macro lean_alloc literals, whole, hidden
	keep_lean
	mov	%rdi, %rdx
	cmpb	$AGENT_LEAN_ARRAY, \literals+AGENT_LITERAL_LEAN(%rip)
	jae	5f
6:	lean_thread \literals, 7f
	mov	AGENT_THREAD_SAMPLE_LEFT(%rcx), %rax
	test	%rdx, %rdx
	jz	7f
	cmp	%rax, %rdx
	jae	7f
	sub	%rdx, %rax
	cmpb	$0, \literals+AGENT_LITERAL_LEAN+1(%rip)
	jne	8f
	mov	%rax, AGENT_THREAD_SAMPLE_LEFT(%rcx)
	restore_lean
	jmp	*\literals+16(%rip)
8:	mov	AGENT_THREAD_NR_CALLS(%rcx), %edx
	cmp	$AGENT_CALLS_MAX, %edx
	jae	7f
	mov	%rax, AGENT_THREAD_SAMPLE_LEFT(%rcx)
	lean_push \literals
	restore_lean
	.cfi_remember_state
	move_sp	-REGISTERS
	jmp	\hidden
	.cfi_restore_state
5:	lean_size \literals, 7f, 6b
7:	restore_lean
	jmp	\whole
	.endm

	/* At S-80. */
	.macro lean_return literals, whole
	keep_lean
	lean_thread \literals, 7f
	lean_pop 7f
	restore_lean
	.cfi_remember_state
	move_sp	RESULTS
	ret
	.cfi_restore_state
7:	restore_lean
	jmp	\whole
	.endm

	.macro lean_free literals, whole
	keep_lean
	movabs	$AGENT_GOLDEN, %rax
	imul	%rdi, %rax
	shr	$AGENT_LINES_SHIFT, %rax
	and	$AGENT_LINES_MASK, %eax
	mov	\literals+AGENT_LITERAL_TABLE(%rip), %rcx
	cmpb	$0, (%rcx, %rax)
	restore_lean
	jne	\whole
	jmp	*\literals+16(%rip)
	.endm

	.text

template agent_call
	.cfi_startproc
	cmpb	$0, 9f+AGENT_LITERAL_LEAN(%rip)
	jne	5f
4:	call_before 9f
	test	%eax, %eax
	restore_registers
	jnz	1f
	.cfi_remember_state
	move_sp	REGISTERS
	jmp	*9f+16(%rip)
	.cfi_restore_state
1:	call	*9f+16(%rip)
	.globl	agent_call_return
	.hidden	agent_call_return
agent_call_return:
	move_sp	-8
	cmpb	$0, 9f+AGENT_LITERAL_LEAN+1(%rip)
	jne	3f
2:	save_registers
	lea	RESULTS(%rsp), %rdi
	lea	9f+24(%rip), %rsi
	mov	%rbp, %rdx
	mov	%rax, %rcx
	call	*9f+8(%rip)
	restore_registers
	move_sp	RESULTS+REGISTERS
	ret
	.cfi_def_cfa_offset RESULTS+8
3:	lean_return 9f, 2b
	.cfi_def_cfa_offset 8
5:	lean_alloc 9f, 4b, 1b
literals 9
template agent_call_end

template agent_jump
	.cfi_startproc
	cmpb	$0, 9f+AGENT_LITERAL_LEAN(%rip)
	jne	5f
4:	call_before 9f
	restore_registers
	move_sp	REGISTERS
	jmp	*9f+16(%rip)
5:	lean_free 9f, 4b
literals 9
template agent_jump_end

	.section .note.GNU-stack, "", @progbits
