/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent's image, AGENT_BLOB being its file, as part of the tracer. */
	.section .rodata

	.globl	agent_blob
	.type	agent_blob, @object
	.balign	64
agent_blob:
	.incbin	AGENT_BLOB
	.size	agent_blob, . - agent_blob

	.globl	agent_blob_end
	.type	agent_blob_end, @object
agent_blob_end:

	.section .note.GNU-stack, "", @progbits
