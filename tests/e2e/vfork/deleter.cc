/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An allocator whose operator delete does not return where `become` says so.  In a library, and
 * with many functions, so that the next program has fewer than come before this one.
 */
#include <cstddef>
#include <new>
#include <unistd.h>

extern "C" void *__libc_malloc(std::size_t);
extern "C" void __libc_free(void *);

const char *become;

extern "C" void *malloc(std::size_t size)
{
	return __libc_malloc(size);
}

extern "C" void free(void *block)
{
	__libc_free(block);
}

void operator delete(void *block) noexcept { free(block); }
void operator delete(void *block, std::size_t) noexcept { free(block); }
void operator delete(void *block, const std::nothrow_t &) noexcept { free(block); }
void operator delete(void *block, std::align_val_t) noexcept { free(block); }
void operator delete[](void *block) noexcept { free(block); }
void operator delete[](void *block, const std::nothrow_t &) noexcept { free(block); }

void operator delete[](void *block, std::size_t) noexcept
{
	if (become)
		execl(become, become, nullptr);
	free(block);
}
