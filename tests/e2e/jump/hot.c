/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A program that has patched its own malloc before anybody attaches: the first bytes jump to a
 * function that counts and hands out memory of its own.  They must stay as they are.
 */
#include <dlfcn.h>
#include <stdint.h>
#include <sys/mman.h>

#include "truth.h"

static char memory[1 << 20] __attribute__((aligned(16)));
static size_t used, calls;

static void *own_malloc(size_t size)
{
	char *block = memory + used;

	calls++;
	used += (size + 15) & ~15ul;
	return used <= sizeof(memory) ? block : NULL;
}

/* jmp *0(%rip); address */
static void redirect(void *from, void *to)
{
	unsigned char jump[14] = { 0xff, 0x25 };
	uintptr_t page = (uintptr_t)from & ~4095ul;

	memcpy(jump + 6, &to, 8);
	MUST(mprotect((void *)page, 8192, PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
	memcpy(from, jump, sizeof(jump));
	MUST(mprotect((void *)page, 8192, PROT_READ | PROT_EXEC) == 0);
}

int main(void)
{
	void *real = dlsym(RTLD_NEXT, "malloc");
	size_t before;

	if (!real)
		real = dlsym(RTLD_DEFAULT, "malloc");
	MUST(real);
	redirect(real, own_malloc);
	stage("ready");
	before = calls;
	for (int i = 1; i <= 200; i++) {
		char *block = T_MALLOC(i);		/* LIVE */

		MUST(block >= memory && block < memory + sizeof(memory));
	}
	for (int i = 0; i < 100; i++) {		/* free is as it was */
		void *block = T_CALLOC(1, 64);

		MUST(block);
		T_FREE(block, 64);
	}
	MUST(calls - before == 200);
	tell_truth();
	stage("done");
	return correct();
}
