/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Takes every stack of a command twice, by the rules and by libunwind, and counts where
 * they differ.
 *
 *     unwind_compare [-v N] COMMAND [ARG...]      (-v: shows the first N differences)
 *
 * Last line: "N stacks, N equal, N longer by rules, N shorter by rules, N different; P %".
 * "Longer" means that libunwind gave up first, and that what it has agrees.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../tracer/base/message.h"
#include "../../tracer/signals.h"
#include "../../tracer/trace.h"

static struct {
	uint64_t stacks, equal, longer, shorter, different;
	long show;
	struct trace trace;
} state;

static void print_walk(const char *title, const struct walk *walk)
{
	const struct modules *modules = &state.trace.runs.items[0]->probe->modules;

	printf("  %s (end %d, %u frames)\n", title, walk->end, walk->nr);
	for (uint32_t i = 0; i < walk->nr; i++) {
		uint32_t id = code_module(walk->frames[i]);
		const struct module *module = id ? modules->items[id - 1] : NULL;

		printf("    %2u %s+0x%" PRIx64 "  slot 0x%" PRIx64 "\n", i,
		       module ? module->path : "?",
		       code_pc(walk->frames[i]) - (module ? module->bias : 0), walk->slots[i]);
	}
}

static void judge(const struct walk *rules, const struct walk *oracle)
{
	uint32_t common = 0;
	uint64_t *counter = &state.different;

	while (common < rules->nr && common < oracle->nr &&
	       rules->frames[common] == oracle->frames[common])
		common++;
	if (common == rules->nr && common == oracle->nr)
		counter = &state.equal;
	else if (common == oracle->nr)
		counter = &state.longer;
	else if (common == rules->nr)
		counter = &state.shorter;
	++*counter;
	state.stacks++;
	if (counter == &state.equal || state.show-- <= 0)
		return;
	printf("stack %" PRIu64 " differs from frame %u on\n", state.stacks, common);
	print_walk("rules", rules);
	print_walk("libunwind", oracle);
}

static void walk_both(struct unwinder *unwinder, struct walker *walker, struct remote *remote,
		      const struct memread *stack, const arch_regs *regs, uint32_t depth,
		      struct walk *out)
{
	static struct walk oracle;

	unwinder_libunwind.walk(&unwinder_libunwind, walker, remote, stack, regs, depth, &oracle);
	unwinder_rules.walk(&unwinder_rules, walker, remote, stack, regs, depth, out);
	if (!out->complex)
		judge(out, &oracle);
}

static struct unwinder unwinder_both = { .name = "both", .walk = walk_both };

int main(int argc, char **argv)
{
	struct options options = {
		.depth = 64, .unwinder = &unwinder_both, .engine = ENGINE_BREAK, .memleak = true,
	};
	const struct symbolizer_config config = {
		.names = allocator_symbols(), .nr_names = allocator_functions_nr(),
	};
	struct symbolizer *symbolizer;
	int word = 1;

	if (argc > 2 && !strcmp(argv[1], "-v")) {
		state.show = atol(argv[2]);
		word = 3;
	}
	if (word >= argc || symbolizer_start(&config, &symbolizer))
		return 125;
	options.command = argv + word;
	signals_install(true);
	trace_init(&state.trace, &options, symbolizer);
	if (trace_start(&state.trace))
		return 125;
	trace_loop(&state.trace);
	printf("%" PRIu64 " stacks, %" PRIu64 " equal, %" PRIu64 " longer by rules, %" PRIu64
	       " shorter by rules, %" PRIu64 " different; %.3f %%\n",
	       state.stacks, state.equal, state.longer, state.shorter, state.different,
	       state.stacks ? 100.0 * (double)state.equal / (double)state.stacks : 0);
	trace_deinit(&state.trace);
	symbolizer_stop(symbolizer);
	return 0;
}
