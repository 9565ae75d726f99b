/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Builds what the kernel would have built for a handler: arch/x86/kernel/signal_64.c,
 * fpu/signal.c, and the layouts of arch/x86/include/uapi/asm/{ucontext,sigcontext}.h.
 */
#include "parachute.h"

#include <cpuid.h>
#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#include "maps.h"

#define CHUNK_BYTES 65536
#define STATE_BYTES_MAX 16384

/* uc_flags: the extended state is there, and ss is to be restored as it is. */
#define UC_FLAGS 7
/* No mode of sigaltstack(2): the kernel leaves the alternate stack as it is. */
#define KEEP_ALTSTACK 0x7fff

struct context {		/* struct sigcontext_64 */
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15, di, si, bp, bx, dx, ax, cx, sp, ip, flags;
	uint16_t cs, gs, fs, ss;
	uint64_t error, trap, old_mask, cr2, state;
	uint64_t reserved[8];
};

struct frame {			/* struct rt_sigframe */
	uint64_t restorer;
	uint64_t uc_flags, uc_link;
	uint64_t stack_sp;
	uint32_t stack_flags, stack_unused;
	uint64_t stack_bytes;
	struct context context;
	uint64_t mask;
	uint8_t siginfo[128];
};

/* At byte 464 of the extended state, struct _fpx_sw_bytes. */
struct state_words {
	uint32_t magic1, extended_bytes;
	uint64_t features;
	uint32_t bytes, unused[7];
};
#define STATE_WORDS_AT 464
#define STATE_HEADER_AT 512
#define STATE_MAGIC1 0x46505853u
#define STATE_MAGIC2 0x46505845u

/* Tiles (AMX) are restored only for threads that have asked for them: left out. */
#define TILES (3ull << 17)

static size_t bytes_without_tiles(size_t bytes)
{
	unsigned size, offset, c, d;

	return __get_cpuid_count(0xd, 17, &size, &offset, &c, &d) && size && offset < bytes
		? offset : bytes;
}

static int read_state(const struct thread *thread, uint8_t *state, size_t *bytes)
{
	struct iovec vector = { state, STATE_BYTES_MAX - 64 }; /* and the end mark */
	struct state_words words = { .magic1 = STATE_MAGIC1 };
	const uint32_t magic2 = STATE_MAGIC2;
	uint64_t present;

	if (ptrace(PTRACE_GETREGSET, thread->tid, NT_X86_XSTATE, &vector))
		return -errno;
	if (vector.iov_len < STATE_HEADER_AT + 64)
		return -ENODEV;
	/* ptrace leaves the features that the kernel has enabled where the words go. */
	memcpy(&words.features, state + STATE_WORDS_AT, sizeof(words.features));
	words.features &= ~TILES;
	memcpy(&present, state + STATE_HEADER_AT, sizeof(present));
	present &= ~TILES;
	memcpy(state + STATE_HEADER_AT, &present, sizeof(present));
	words.bytes = (uint32_t)bytes_without_tiles(vector.iov_len);
	words.extended_bytes = words.bytes + (uint32_t)sizeof(magic2);
	memcpy(state + STATE_WORDS_AT, &words, sizeof(words));
	memcpy(state + words.bytes, &magic2, sizeof(magic2));
	*bytes = words.extended_bytes;
	return 0;
}

/* What the kernel does on its way to a handler: arch_do_signal_or_restart(). */
static void begin_call_again(arch_regs *regs)
{
	enum { RESTARTSYS = 512, RESTARTNOINTR = 513, RESTARTNOHAND = 514, RESTART_BLOCK = 516 };
	int64_t result = (int64_t)regs->rax;

	if ((int64_t)regs->orig_rax < 0)
		return;
	if (result == -RESTART_BLOCK)
		regs->rax = (uint64_t)-EINTR;
	else if (result == -RESTARTSYS || result == -RESTARTNOINTR || result == -RESTARTNOHAND)
		arch_call_again(regs);
}

static struct context context_of(const arch_regs *thread_regs, taddr_t state)
{
	arch_regs regs = *thread_regs;

	begin_call_again(&regs);
	return (struct context){
		.r8 = regs.r8, .r9 = regs.r9, .r10 = regs.r10, .r11 = regs.r11, .r12 = regs.r12,
		.r13 = regs.r13, .r14 = regs.r14, .r15 = regs.r15, .di = regs.rdi,
		.si = regs.rsi, .bp = regs.rbp, .bx = regs.rbx, .dx = regs.rdx, .ax = regs.rax,
		.cx = regs.rcx, .sp = regs.rsp, .ip = regs.rip, .flags = regs.eflags,
		.cs = (uint16_t)regs.cs, .ss = (uint16_t)regs.ss, .state = state,
	};
}

int parachute_pack(const struct thread *thread, const arch_regs *regs, uint64_t mask,
		   const struct parachute_code *code, taddr_t *sp)
{
	struct memory *memory = &thread->process->memory;
	uint8_t state[STATE_BYTES_MAX];
	struct frame frame = {
		.restorer = code->restorer, .uc_flags = UC_FLAGS,
		.stack_flags = KEEP_ALTSTACK, .mask = mask,
	};
	size_t bytes = 0;
	taddr_t state_at, frame_at;
	int error;

	if (!code->restorer)
		return -ENOENT;
	error = read_state(thread, state, &bytes);
	if (error)
		return error;
	state_at = (regs->rsp - RED_ZONE_BYTES - bytes) & ~63ull;
	/* As at a handler's first instruction, where the return address has just been pushed. */
	frame_at = ((state_at - sizeof(frame)) & ~15ull) - 8;
	frame.context = context_of(regs, state_at);
	error = memory_write(memory, state_at, state, bytes);
	if (!error)
		error = memory_write(memory, frame_at, &frame, sizeof(frame));
	if (!error)
		*sp = frame_at;
	return error;
}

static const uint8_t call_code[] = { 0x0f, 0x05, 0xc3 };
static const uint8_t restorer_code[] = { 0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05 };

static bool is_at(const struct memory *memory, taddr_t address, const uint8_t *bytes,
		  size_t nr_bytes)
{
	uint8_t now[sizeof(restorer_code)];

	return memread_exact(&memory->read, address, now, nr_bytes) &&
	       !memcmp(now, bytes, nr_bytes);
}

bool parachute_holds(const struct memory *memory, const struct parachute_code *code)
{
	return code->syscall && is_at(memory, code->syscall, call_code, sizeof(call_code)) &&
	       (!code->restorer ||
		is_at(memory, code->restorer, restorer_code, sizeof(restorer_code)));
}

static void search_bytes(const uint8_t *bytes, size_t nr_bytes, taddr_t address,
			 struct parachute_code *code)
{
	const uint8_t *found;

	found = code->syscall ? NULL : memmem(bytes, nr_bytes, call_code, sizeof(call_code));
	if (found)
		code->syscall = address + (taddr_t)(found - bytes);
	found = code->restorer ? NULL
			       : memmem(bytes, nr_bytes, restorer_code, sizeof(restorer_code));
	if (found)
		code->restorer = address + (taddr_t)(found - bytes);
}

static bool is_found(const struct parachute_code *code)
{
	return code->syscall && code->restorer;
}

static void search_mapping(const struct memory *memory, const struct mapping *mapping,
			   struct parachute_code *code)
{
	uint8_t bytes[CHUNK_BYTES];

	for (taddr_t at = mapping->start; at < mapping->end && !is_found(code);
	     at += CHUNK_BYTES - sizeof(restorer_code)) {
		size_t left = mapping->end - at;
		ssize_t got = memory->read.read(&memory->read, at, bytes,
						left < CHUNK_BYTES ? left : CHUNK_BYTES);

		if (got <= 0 || left < sizeof(restorer_code))
			return;
		search_bytes(bytes, (size_t)got, at, code);
	}
}

/* They come first: a program may be a hundred times as large. */
static bool is_c_library(const struct mapping *mapping)
{
	return strstr(mapping->path, "/libc.") || strstr(mapping->path, "/ld-musl") ||
	       strstr(mapping->path, "/libc-") || !strcmp(mapping->path, "[vdso]");
}

static bool is_loader(const struct mapping *mapping)
{
	return strstr(mapping->path, "/ld-linux") || strstr(mapping->path, "/ld-2.");
}

/* While only the loader is there, the C library with its restorer is still to come. */
static bool is_rest_worth_it(const struct maps *maps, const struct parachute_code *code)
{
	for (size_t i = 0; i < maps->nr; i++)
		if (is_loader(&maps->items[i]))
			return !code->syscall;
	return !is_found(code);
}

static void search_those(const struct memory *memory, const struct maps *maps,
			 bool (*is_meant)(const struct mapping *), struct parachute_code *code)
{
	for (size_t i = 0; i < maps->nr && !is_found(code); i++)
		if (maps->items[i].executable && is_meant(&maps->items[i]))
			search_mapping(memory, &maps->items[i], code);
}

static bool is_file(const struct mapping *mapping)
{
	return mapping->inode;
}

struct parachute_code parachute_find(const struct memory *memory)
{
	struct parachute_code code = { 0 };
	struct maps maps;

	if (maps_of(&maps, memory))
		return code;
	search_those(memory, &maps, is_c_library, &code);
	search_those(memory, &maps, is_loader, &code);
	if (is_rest_worth_it(&maps, &code))
		search_those(memory, &maps, is_file, &code);
	maps_release(&maps);
	return code;
}
