/* SPDX-License-Identifier: GPL-2.0-or-later */
/* struct agent_header of agent.h, the blob's first bytes; agent.lds gives agent_end. */
	.section .header, "a", @progbits

	.macro offset symbol
	.hidden	\symbol
	.long	\symbol - agent_header
	.endm

	.hidden	agent_header
	.globl	agent_header
agent_header:
	.long	0x54474131	/* AGENT_MAGIC */
	offset	agent_end
	offset	agent_before
	offset	agent_after
	offset	agent_loader
	offset	agent_call
	offset	agent_call_end
	offset	agent_call_return
	offset	agent_jump
	offset	agent_jump_end

	.section .note.GNU-stack, "", @progbits
