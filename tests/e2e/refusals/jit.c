/* SPDX-License-Identifier: GPL-2.0-or-later */
/* malloc called by code that was made at run time, with a frame pointer. */
#include <stdint.h>
#include <sys/mman.h>

#include "truth.h"

static void *(*make(void))(void)
{
	static const uint8_t code[] = {
		0x55,					/* push %rbp */
		0x48, 0x89, 0xe5,			/* mov %rsp, %rbp */
		0xbf, 55, 0, 0, 0,			/* mov $55, %edi */
		0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0,	/* mov $malloc, %rax */
		0xff, 0xd0,				/* call *%rax */
		0x5d,					/* pop %rbp */
		0xc3,					/* ret */
	};
	uint8_t *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *(*function)(size_t) = malloc;

	MUST(at != MAP_FAILED);
	memcpy(at, code, sizeof(code));
	memcpy(at + 11, &function, sizeof(function));
	return (void *(*)(void))(uintptr_t)at;
}

int main(void)
{
	void *(*generated)(void) = make();

	stage("ready");
	MUST(T_NEW(generated(), 55));
	tell_truth();
	stage("done");
	return correct();
}
