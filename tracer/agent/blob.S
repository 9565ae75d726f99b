/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent's image and its unwind rules, files AGENT_BLOB and AGENT_RULES, in the tracer. */
	.section .rodata

	.macro object name, file
	.globl	\name
	.type	\name, @object
	.balign	64
\name:
	.incbin	"\file"
	.size	\name, . - \name

	.globl	\name\()_end
	.type	\name\()_end, @object
\name\()_end:
	.endm

object agent_blob, AGENT_BLOB
object agent_rules, AGENT_RULES

	.section .note.GNU-stack, "", @progbits
