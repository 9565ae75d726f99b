/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two ways to take a stack that --unwinder names. */
#include "probe.h"

static void walk_by_libunwind(struct unwinder *unwinder, struct walker *walker,
			      struct remote *remote, const struct memread *stack,
			      const arch_regs *regs, uint32_t depth, struct walk *out)
{
	out->nr = out->first_signal = 0;
	out->end = WALK_LOST;
	if (remote)
		remote_walk(remote, stack, regs, depth, out);
}

static void walk_by_rules(struct unwinder *unwinder, struct walker *walker,
			  struct remote *remote, const struct memread *stack,
			  const arch_regs *regs, uint32_t depth, struct walk *out)
{
	const struct unwind_start start = { .pc = regs->rip, .sp = regs->rsp, .fp = regs->rbp };

	walk_from_call(walker, stack, &start, depth, out);
	if (out->end != WALK_COMPLEX || !remote)
		return;
	remote_walk(remote, stack, regs, depth, out);
	out->complex = true;
}

struct unwinder unwinder_rules = { .name = "rules", .walk = walk_by_rules };
struct unwinder unwinder_libunwind = { .name = "libunwind", .walk = walk_by_libunwind };
