/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looks through the stacks of threads word by word.  A signal frame is known by its shape, not
 * by who returns to it: any restorer will do.  It leads to the stack that was interrupted,
 * which another one's handlers may run on (sigaltstack(2)).
 *
 * The red zone below a stack pointer holds neither frames nor return addresses; below that of a
 * thread that waits for its vfork child there are the child's.
 *
 * A word that looks like a return address into code of ours may be an old one, and so may a signal
 * frame: an alternate stack that is not in use often lies in the same mapping (in a thread's
 * static TLS, say).  Then a walk of the stack has to tell.
 */
#include "evacuate.h"

#include <errno.h>
#include <stdlib.h>

#define STACK_BYTES_MAX (1 << 20)
#define STACKS_MAX 8		/* handlers within handlers, each on a stack of its own */
#define CHUNK_WORDS 2048

/*
 * Words of the kernel's struct rt_sigframe, from the handler's return address on:
 * arch/x86/include/asm/sigframe.h, uapi/asm/ucontext.h, uapi/asm/sigcontext.h.
 */
enum {
	FRAME_FLAGS = 1, FRAME_LINK = 2, FRAME_SP = 21, FRAME_PC = 22, FRAME_SEGMENTS = 24,
	FRAME_WORDS = 25,
};
#define USER_CS 0x33
#define FLAGS_MOST 7		/* UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS */

struct search {
	struct process *process;
	const struct evacuation *evacuation;
	const struct maps *maps;
	taddr_t stacks[STACKS_MAX];	/* stack pointers to look from */
	unsigned nr_stacks;
	bool inside, perhaps;
	bool framed;			/* a signal frame leads to us; it may be an old one */
	uint64_t words[CHUNK_WORDS + FRAME_WORDS];
};

static bool is_signal_frame(const uint64_t *words)
{
	return (words[FRAME_SEGMENTS] & 0xffff) == USER_CS && words[FRAME_FLAGS] <= FLAGS_MOST &&
	       !words[FRAME_LINK];
}

static void look_from(struct search *search, taddr_t sp)
{
	if (search->nr_stacks < STACKS_MAX)
		search->stacks[search->nr_stacks++] = sp;
}

static bool concerns(const struct search *search, taddr_t pc)
{
	return search->evacuation->concerns(search->evacuation->owner, pc);
}

static taddr_t moved(const struct search *search, taddr_t pc)
{
	return search->evacuation->moved(search->evacuation->owner, pc);
}

static void mend_frame(struct search *search, taddr_t at, const uint64_t *words, taddr_t start,
		       taddr_t end)
{
	taddr_t pc = words[FRAME_PC], sp = words[FRAME_SP], to = moved(search, pc);

	if (to != pc)
		(void)memory_write(&search->process->memory, at + FRAME_PC * 8, &to, sizeof(to));
	search->framed |= concerns(search, to);
	if (sp < start || sp >= end)
		look_from(search, sp);
}

/* The pc of a signal frame has been moved and judged with the frame. */
static bool is_frame_pc(const struct search *search, size_t i, size_t nr)
{
	return i >= FRAME_PC && i - FRAME_PC + FRAME_WORDS <= nr &&
	       is_signal_frame(&search->words[i - FRAME_PC]);
}

static taddr_t end_of_mapping(const struct maps *maps, taddr_t address)
{
	const struct mapping *mapping = maps_find(maps, address);

	return mapping ? mapping->end : 0;
}

/* One piece of a stack.  Pieces overlap, so that every frame is seen whole in one of them. */
static void look_at(struct search *search, taddr_t at, size_t nr, taddr_t sp, taddr_t end)
{
	taddr_t start = sp & ~(taddr_t)7;

	for (size_t i = 0; i < nr; i++) {
		if (i + FRAME_WORDS <= nr && is_signal_frame(&search->words[i]))
			mend_frame(search, at + i * 8, &search->words[i], start, end);
		/* What looks like a frame may be a return address and what lies behind it. */
		if (at + i * 8 >= start && concerns(search, search->words[i]) &&
		    !is_frame_pc(search, i, nr))
			search->perhaps = true;
	}
}

static void search_stack(struct search *search, taddr_t sp)
{
	const struct memread *memory = &search->process->memory.read;
	taddr_t start = sp & ~(taddr_t)7, end = end_of_mapping(search->maps, start);
	/* Of a frame that is being returned from, the first word lies below the stack already. */
	taddr_t at = start % 4096 ? start - 8 : start;

	if (end > start + STACK_BYTES_MAX)
		end = start + STACK_BYTES_MAX;
	while (at < end) {
		size_t bytes = end - at < sizeof(search->words) ? end - at : sizeof(search->words);
		ssize_t got = memory->read(memory, at, search->words, bytes);

		if (got < 8)
			return;
		look_at(search, at, (size_t)got / 8, sp, end);
		at += bytes < sizeof(search->words) ? bytes : CHUNK_WORDS * 8;
	}
}

static void search_stacks(struct search *search)
{
	for (unsigned stack = 0; stack < search->nr_stacks; stack++)
		search_stack(search, search->stacks[stack]);
}

/* Waiting in the kernel for a vfork child; what it has in its registers cannot be seen. */
static void move_parked(struct search *search, const struct thread *thread)
{
	taddr_t sp, pc;

	if (thread->exiting)
		return;
	if (!thread_parked_at(thread, &sp, &pc)) {
		search->inside = true;
		return;
	}
	look_from(search, sp);
	search_stacks(search);
	search->inside |= search->perhaps || search->framed || concerns(search, pc);
}

static void move_thread(struct search *search, const struct thread *thread)
{
	const struct evacuation *evacuation = search->evacuation;
	arch_regs regs;
	taddr_t to;

	if (thread_get_regs(thread, &regs)) {
		move_parked(search, thread);
		return;
	}
	to = moved(search, regs.rip);
	if (to != regs.rip)
		(void)thread_set_pc(thread, to);
	search->inside |= concerns(search, to);
	look_from(search, regs.rsp);
	search_stacks(search);
	if ((search->perhaps || search->framed) && !search->inside)
		search->inside = evacuation->returns(evacuation->owner, thread, &regs,
						     search->framed);
}

int evacuate(struct process *process, const struct evacuation *evacuation, size_t *nr_inside)
{
	struct search *search = malloc(sizeof(*search));
	int error = search ? 0 : -ENOMEM;
	size_t nr = 0;
	struct maps maps;

	if (nr_inside)
		*nr_inside = process->threads.nr; /* nobody knows */
	if (!error)
		error = maps_of(&maps, &process->memory);
	if (error) {
		free(search);
		return error;
	}
	search->process = process;
	search->evacuation = evacuation;
	search->maps = &maps;
	for (size_t i = 0; i < process->threads.nr; i++) {
		search->nr_stacks = 0;
		search->inside = search->perhaps = search->framed = false;
		move_thread(search, process->threads.items[i]);
		nr += search->inside;
	}
	maps_release(&maps);
	free(search);
	if (nr_inside)
		*nr_inside = nr;
	return 0;
}
